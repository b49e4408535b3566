package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// A service name may be any text, so it shows what has become of a word.
func TestReferencesAreExpandedAsTheKubeletExpandsThem(t *testing.T) {
	g := newGenerator(seed() + 2)
	row := count{what: "the kubelet's expansion"}
	for row.tried < *expandCount {
		l := line{Args: []string{"-addr=:50051", servicePrefix + g.reference()}, Env: g.referenceEnv()}
		row.judged(l.read())
		if expansionDifference(l) == "" {
			continue
		}
		row.differences++
		if row.differences <= maxShown {
			short := shrink(l, shorterReferences, func(l line) bool { return expansionDifference(l) != "" })
			t.Errorf("%s\n%s", expansionDifference(short), kept(keptCase{Command: short.command(), Env: short.Env}))
		}
	}
	totals.add(row)
}

const servicePrefix = "-service="

// expansionDifference says how the service that is read is at odds with the
// word that the kubelet makes, or "".
func expansionDifference(l line) string {
	reading := l.read()
	words := kubeletExpand(l.command(), l.Env)
	want := strings.TrimPrefix(words[len(words)-1], servicePrefix)
	switch {
	case reading.Reason == reason.CommandTooLong && len(strings.Join(words, "")) > 1024:
		return ""
	case reading.Reason != reason.None:
		return fmt.Sprintf("read as %q", reading.Reason)
	case reading.Check.Service != want:
		return fmt.Sprintf("read as service %q, but the kubelet makes it %q", reading.Check.Service, want)
	}
	return ""
}

func shorterReferences(l line) []line {
	var smaller []line
	for i := range l.Env {
		smaller = append(smaller, line{Args: l.Args, Env: slices.Delete(slices.Clone(l.Env), i, i+1)})
	}
	for _, shorter := range without(strings.TrimPrefix(l.Args[1], servicePrefix)) {
		smaller = append(smaller, line{Args: []string{l.Args[0], servicePrefix + shorter}, Env: l.Env})
	}
	return smaller
}

// reference writes a text with references, whole and broken ones.
func (g generator) reference() string {
	text := ""
	for range g.IntN(9) {
		text += g.one("$", "$$", "$(", ")", "(", "$(A)", "$(B)", "$(C)", "$(NONE)", "$()", "$(A", "$$(A)", "$$$(A)", "$$$$(A)", "$(A))", "$($(A))", "$(A B)", "$A", "${A}", "$(é)", "é", "a", " ", "$)", "$ (A)", "$(a.b-c)", "$(LONG)", "\\$(A)", "$(\n)", "$($", "$(A$")
	}
	return text
}

func (g generator) referenceEnv() []corev1.EnvVar {
	all := []corev1.EnvVar{
		{Name: "A", Value: g.one("x", "", "$(B)", "$", "$$", ")", "é")},
		{Name: "B", Value: "b$(A)"}, {Name: "A", Value: "again"}, {Name: "é", Value: "accent"}, {Name: "", Value: "nameless"}, {Name: "A B", Value: "blank"},
		{Name: "C", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
		{Name: "B", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{Key: "k"}}},
		{Name: "a.b-c", Value: "dots"}, {Name: "$(A", Value: "open"}, {Name: "LONG", Value: strings.Repeat("0123456789", 40)},
	}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:g.IntN(len(all)+1)]
}

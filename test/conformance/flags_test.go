package conformance

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/probeshift/probeshift/pkg/reason"
)

// chunk is how many lines are on their way to the oracle at a time.
const chunk = 10_000

// maxShown is how many differences are made short and printed.
const maxShown = 20

func TestEveryLineIsReadAsTheToolReadsIt(t *testing.T) {
	g, tool := newGenerator(seed()), newOracle(t)
	row := count{what: "the tool's flags and grpc-go's dialling"}
	for row.tried < *lineCount {
		lines := make([]line, 0, chunk)
		for range min(chunk, *lineCount-row.tried) {
			lines = append(lines, g.line())
		}
		for i, answer := range judgeLines(t, tool, lines) {
			reading := lines[i].read()
			row.judged(reading)
			if reading.Reason == reason.CommandTooLong || difference(answer, reading, lines[i].Limit) == "" {
				continue
			}
			row.differences++
			if row.differences <= maxShown {
				short := shorten(t, tool, lines[i])
				t.Errorf("%s\n%s", compare(t, tool, short), kept(keptCase{Command: short.command(), Env: short.Env}))
			}
		}
	}
	totals.add(row)
}

// judgeLines returns what the tool does with the lines once the kubelet has
// expanded them.
func judgeLines(t *testing.T, tool *oracle, lines []line) []answer {
	t.Helper()
	args := make([][]string, 0, len(lines))
	for _, l := range lines {
		args = append(args, kubeletExpand(l.Args, l.Env))
	}
	return tool.judge(t, args)
}

func compare(t *testing.T, tool *oracle, l line) string {
	t.Helper()
	return difference(judgeLines(t, tool, []line{l})[0], l.read(), l.Limit)
}

// kubeletExpand expands words as ExpandContainerCommandOnlyStatic in the
// kubelet's pkg/kubelet/container does: with its own expansion package, over
// the env list as a map.
func kubeletExpand(words []string, env []corev1.EnvVar) []string {
	values := map[string]string{}
	for _, v := range env {
		values[v.Name] = v.Value
	}
	expanded := []string{}
	for _, word := range words {
		expanded = append(expanded, expansion.Expand(word, expansion.MappingFuncFor(values)))
	}
	return expanded
}

// shorten takes away from a line what its difference does not need.
func shorten(t *testing.T, tool *oracle, l line) line {
	t.Helper()
	return shrink(l, func(l line) []line {
		var smaller []line
		if len(l.Prefix) > 0 {
			smaller = append(smaller, line{Args: l.Args, Env: l.Env})
		}
		for i := range l.Env {
			smaller = append(smaller, line{l.Prefix, l.Limit, l.Args, slices.Delete(slices.Clone(l.Env), i, i+1)})
		}
		for i, arg := range l.Args {
			smaller = append(smaller, line{l.Prefix, l.Limit, slices.Delete(slices.Clone(l.Args), i, i+1), l.Env})
			for _, shorter := range without(arg) {
				args := slices.Clone(l.Args)
				args[i] = shorter
				smaller = append(smaller, line{l.Prefix, l.Limit, args, l.Env})
			}
		}
		return smaller
	}, func(l line) bool { return compare(t, tool, l) != "" })
}

// shrink follows the first smaller form that is still bad until there is none.
func shrink[T any](from T, smaller func(T) []T, bad func(T) bool) T {
	for {
		i := slices.IndexFunc(smaller(from), bad)
		if i < 0 {
			return from
		}
		from = smaller(from)[i]
	}
}

// without returns a text without each one of its characters.
func without(s string) []string {
	runes := []rune(s)
	var shorter []string
	for i := range runes {
		shorter = append(shorter, string(runes[:i])+string(runes[i+1:]))
	}
	return shorter
}

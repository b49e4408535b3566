package events

import (
	"fmt"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// Injected tells the owner of a Pod what became of its load-balancing sidecar.
// A refusal is told by the controller itself, which could not create the Pod. It
// never blocks.
func (r *Recorder) Injected(namespace string, owner *metav1.OwnerReference, result sidecar.Result) {
	regarding := &corev1.ObjectReference{
		APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, UID: owner.UID, Namespace: namespace,
	}
	for _, n := range sidecarNotes(result) {
		r.send(regarding, n.severity, n.reason, "Admission", n.text)
	}
}

// note is one Event.
type note struct{ severity, reason, text string }

// sidecarNotes are the Events that a result is worth.
func sidecarNotes(result sidecar.Result) []note {
	var notes []note
	switch result.Outcome {
	case sidecar.Injected:
		notes = append(notes, note{corev1.EventTypeNormal, "SidecarInjected", reached(result)})
	case sidecar.WouldInject:
		notes = append(notes, note{corev1.EventTypeNormal, "SidecarWouldBeInjected", reached(result)})
	case sidecar.WouldRefuse:
		var lines []string
		for _, p := range result.Problems {
			lines = append(lines, p.String())
		}
		notes = append(notes, note{corev1.EventTypeWarning, "SidecarWouldBeRefused", fitted(lines)})
	case sidecar.Failed:
		notes = append(notes, note{corev1.EventTypeWarning, "SidecarNotInjected", "An error of the webhook's own; its log tells more."})
	default:
	}
	var lines []string
	for _, w := range result.Warnings {
		lines = append(lines, string(w.Code)+": "+w.Text)
	}
	if len(lines) > 0 {
		notes = append(notes, note{corev1.EventTypeWarning, "SidecarWarning", fitted(lines)})
	}
	return notes
}

// reached tells where each upstream is reached.
func reached(result sidecar.Result) string {
	var lines []string
	for _, u := range result.Status.Upstreams {
		lines = append(lines, fmt.Sprintf("%s is balanced over %s, at %s", u.Dialled, u.Name, u.Listen))
	}
	return fitted(lines)
}

// maxLine bounds one line of a note, in bytes.
const maxLine = 400

// fitted is a note of lines that may hold what a Pod's owner wrote, names of
// containers among it that nobody has checked yet.
func fitted(lines []string) string {
	for i, line := range lines {
		line = strings.Map(func(c rune) rune {
			if unicode.IsPrint(c) {
				return c
			}
			return unicode.ReplacementChar
		}, line)
		if len(line) > maxLine {
			line = strings.ToValidUTF8(line[:maxLine], "") + "..."
		}
		lines[i] = line
	}
	return fit(lines)
}

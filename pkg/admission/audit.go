package admission

import (
	"fmt"
	"strings"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// maxAnnotation bounds the value of one audit annotation, in bytes. The API
// server holds them in memory for each request.
const maxAnnotation = 4 << 10

// annotation is one entry of the API server's audit log. The API server puts
// the webhook's name before the key.
type annotation struct{ key, value string }

// annotations tells what became of the probes, by outcome: for example
//
//	rewritten: app/readiness, app/liveness
//	skipped:   app/startup=tls-verified
//
// On a later call for the same Pod the keys begin with "later-", because the
// API server keeps the first value of a key; what is restored is always told
// by a later call.
func annotations(reinvoked bool, findings []mutate.Finding) []annotation {
	var list []annotation
	for _, outcome := range []mutate.Outcome{mutate.Rewritten, mutate.WouldRewrite, mutate.Skipped, mutate.Restored} {
		value := annotationValue(outcome, findings)
		if value == "" {
			continue
		}
		key := string(outcome)
		if reinvoked && outcome != mutate.Restored {
			key = "later-" + key
		}
		list = append(list, annotation{key: key, value: value})
	}
	return list
}

// annotationValue lists the probes with an outcome, without commands: they
// may hold secrets.
func annotationValue(outcome mutate.Outcome, findings []mutate.Finding) string {
	var b strings.Builder
	left := 0
	for _, f := range findings {
		if f.Outcome != outcome {
			continue
		}
		if b.Len() > maxAnnotation {
			left++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(probeName(f))
		if f.Reason != "" {
			b.WriteString("=" + string(f.Reason))
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, ", and %d more", left)
	}
	return b.String()
}

// probeName names a probe within its Pod.
func probeName(f mutate.Finding) string {
	return oneLine(f.Container, 63) + "/" + string(f.Probe)
}

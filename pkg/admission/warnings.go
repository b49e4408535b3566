package admission

import (
	"fmt"

	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
Warnings reach whoever creates the Pod, on the terminal of kubectl. The API
server adds up what all webhooks say and cuts beyond 4,096 characters, and it
drops a warning with a control character in it. So there are at most ten, each
shorter than 120 bytes, and a probe that was rewritten makes none.
*/
const (
	maxWarnings = 10
	maxWarning  = 119 // bytes
)

// warnings returns the lines worth a person's time: those on the sidecar first,
// then those on the Pod as a whole.
func warnings(sidecar []string, remarks []mutate.Remark, findings []mutate.Finding) []string {
	var lines []string
	total := 0
	add := func(line func() string) {
		if total++; total <= maxWarnings {
			lines = append(lines, oneLine(line(), maxWarning))
		}
	}
	for _, line := range sidecar {
		add(func() string { return line })
	}
	for _, r := range remarks {
		add(func() string { return fmt.Sprintf("probeshift: %s: %s", r.Code, r.Text) })
	}
	for _, f := range findings {
		if f.Outcome != mutate.Rewritten {
			add(func() string { return findingWarning(f) })
		}
	}
	if total > maxWarnings {
		lines[maxWarnings-1] = fmt.Sprintf("probeshift: and %d more", total-maxWarnings+1)
	}
	return lines
}

// findingWarning tells one finding, for example
//
//	probeshift: app readiness probe left as exec: port-not-declared (port 9000)
func findingWarning(f mutate.Finding) string {
	probe := fmt.Sprintf("probeshift: %s %s probe", short(f.Container), f.Probe)
	detail := f.Detail
	if detail != "" {
		detail = " (" + detail + ")"
	}
	switch f.Outcome {
	case mutate.WouldRewrite:
		return fmt.Sprintf("%s would become grpc%s", probe, detail)
	case mutate.Restored:
		return fmt.Sprintf("%s is exec again: %s%s", probe, f.Reason, detail)
	default:
		return fmt.Sprintf("%s left as exec: %s%s", probe, f.Reason, detail)
	}
}

// notExaminedWarning tells that the Pod was let through without a look.
func notExaminedWarning(problem error) string {
	return oneLine(fmt.Sprintf("probeshift: Pod not examined: %v", problem), maxWarning)
}

package conformance

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// The kubelet ends an exec probe after timeoutSeconds, a timeout wrapper after
// its limit, and the tool itself after its two timeouts: what comes first is
// the latest that the probe can pass. The native probe has one deadline. Both
// are calculated, not measured: the tool's timeouts are those that its own code
// read.
func TestTheDeadlineIsNeverEarlierAndLessThanASecondLater(t *testing.T) {
	g, tool := newGenerator(seed()+2), newOracle(t)
	row := count{what: "deadlines, never earlier, < 1 s later"}
	for row.tried < *lineCount {
		lines := make([]line, 0, chunk)
		for range min(chunk, *lineCount-row.tried) {
			lines = append(lines, g.line())
		}
		for i, answer := range judgeLines(t, tool, lines) {
			timeoutSeconds := int32(1 + g.IntN(maxTimeoutSeconds))
			finding, native := rewrite(lines[i], timeoutSeconds)
			row.tried++
			if !native {
				row.refused++
				continue
			}
			row.native++
			before := deadline(answer, lines[i].Limit, timeoutSeconds)
			after := time.Duration(finding.NewTimeoutSeconds) * time.Second
			if later := after - before; later < 0 || later >= time.Second {
				row.differences++
				t.Errorf("timeoutSeconds %d, the probe ends after %v and the native one after %v:\n%s", timeoutSeconds, before, after,
					kept(keptCase{Command: lines[i].command(), Env: lines[i].Env}))
			}
		}
	}
	totals.add(row)
}

// maxTimeoutSeconds is a little more than the longest timeouts that are usual.
const maxTimeoutSeconds = 40

// deadline is the latest that an exec probe can pass.
func deadline(a answer, limit time.Duration, timeoutSeconds int32) time.Duration {
	latest := time.Duration(timeoutSeconds) * time.Second
	if own := a.ConnectTimeout + a.RPCTimeout; own >= 0 { // else it does not fit
		latest = min(latest, own)
	}
	if limit > 0 {
		latest = min(latest, limit)
	}
	return latest
}

// rewrite puts a line into a Pod in which nothing but the command can be in the
// way, and says whether it becomes native.
func rewrite(l line, timeoutSeconds int32) (finding mutate.Finding, native bool) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "server", Env: l.Env,
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:   corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: l.command()}},
			TimeoutSeconds: timeoutSeconds,
		},
	}}}}
	result := mutate.Mutate(pod, mutate.Policy{AnyPort: true, IgnoreMesh: true, IgnoreIPFamily: true, TLSProbes: true})
	if len(result.Findings) != 1 || result.Findings[0].Outcome != mutate.Rewritten {
		return mutate.Finding{}, false
	}
	return result.Findings[0], true
}

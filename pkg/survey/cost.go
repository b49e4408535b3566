package survey

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

const (
	// execCPU and nativeCPU are what one run of a probe takes of a node's CPU,
	// as measured on one node (README): the exec probe with the process of the
	// tool, the native probe in the kubelet.
	execCPU   = 11700 * time.Microsecond
	nativeCPU = 1500 * time.Microsecond

	// defaultPeriod is periodSeconds where it is not set (the API's default).
	defaultPeriod = 10

	assumption = "11.7 ms of CPU for a run of an exec probe and 1.5 ms for a native one, as measured on one node; " +
		"liveness and readiness probes of running Pods, at their periodSeconds"
)

// runs counts how often probes run in a day.
type runs struct {
	exec, rewritable float64
}

// add counts a probe of one Pod. A startup probe ends when it has succeeded, so
// it costs next to nothing.
func (r *runs) add(pod *corev1.Pod, p *Probe) {
	if pod.Status.Phase != corev1.PodRunning || p.Kind == mutate.Startup || p.Outcome == mutate.Rewritten {
		return
	}
	there := ProbeOf(pod, p.Container, p.Kind)
	if there == nil {
		return
	}
	period := there.PeriodSeconds
	if period < 1 {
		period = defaultPeriod
	}
	perDay := (24 * time.Hour).Seconds() / float64(period)
	r.exec += perDay
	if p.Outcome == mutate.WouldRewrite && p.Held == "" {
		r.rewritable += perDay
	}
}

func (r *runs) cost() Cost {
	return Cost{
		ExecRuns:        int64(r.exec),
		Rewritable:      int64(r.rewritable),
		ExecCPUSeconds:  r.exec * execCPU.Seconds(),
		SavedCPUSeconds: r.rewritable * (execCPU - nativeCPU).Seconds(),
		Assumption:      assumption,
	}
}

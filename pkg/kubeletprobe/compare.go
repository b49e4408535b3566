package kubeletprobe

import (
	"fmt"
	"time"

	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
What a native probe sees is compared with what the kubelet, by the exec probe,
made of the container. The exec probe's last verdict stands in the status: of a
readiness probe as ready, of a startup probe as started, and of a liveness probe
in that the container still runs.
*/

// Agreement is what the comparison came to.
type Agreement string

// The agreements.
const (
	Agree      Agreement = "agree"
	Disagree   Agreement = "disagree"
	CannotTell Agreement = "can't tell"
)

// Container is what the kubelet made of a container.
type Container struct {
	Running bool
	Ready   bool
	// Started says that the startup probe has succeeded, or that there is none.
	Started bool
	// RunningFor is how long it has run.
	RunningFor time.Duration
	// Restarts is how often it was restarted.
	Restarts int32
}

// Comparison is everything that a judgement stands on.
type Comparison struct {
	Kind mutate.ProbeKind
	// Before and After are the container before and after the probes.
	Before, After Container
	Answers       []Answer
	// FromNode says that the probes came from the Pod's node, as the kubelet's
	// do. Elsewhere silence shows nothing.
	FromNode bool
	// Patience is how long after the container's start the kubelet may not have
	// drawn its conclusion yet: the probe's delay, and the periods until enough
	// probes have failed (liveness) or succeeded (readiness).
	Patience time.Duration
}

// Judge compares, and says why in one sentence.
func (c Comparison) Judge() (agreement Agreement, why string) {
	switch {
	case !c.After.Running || !c.Before.Running:
		return CannotTell, "the container does not run"
	case c.Before.Ready != c.After.Ready || c.Before.Restarts != c.After.Restarts || c.Before.Started != c.After.Started:
		return CannotTell, "the container changed meanwhile"
	case !c.After.Started:
		return CannotTell, "the container is still starting"
	}
	passes, ok, why := c.native()
	if !ok {
		return CannotTell, why
	}
	if c.Kind == mutate.Readiness {
		return c.readiness(passes, why)
	}
	return c.alive(passes, why)
}

// native is what the native probe makes of the server; ok is false where that
// does not show.
func (c Comparison) native() (passes, ok bool, why string) {
	if len(c.Answers) == 0 {
		return false, false, "it was not probed"
	}
	counts := map[Verdict]int{}
	for _, a := range c.Answers {
		counts[a.Verdict]++
	}
	last := c.Answers[len(c.Answers)-1].Text
	switch {
	case counts[Passed] == len(c.Answers):
		return true, true, last
	case counts[Passed] > 0:
		return false, false, fmt.Sprintf("%d of %d probes passed", counts[Passed], len(c.Answers))
	case counts[NoAnswer] > 0 && !c.FromNode:
		return false, false, last + ", which shows nothing from here"
	}
	return false, true, last
}

// readiness compares with what the container's readiness says.
func (c Comparison) readiness(passes bool, why string) (Agreement, string) {
	switch {
	case passes == c.After.Ready:
		return Agree, why
	case passes && c.After.RunningFor < c.Patience:
		return CannotTell, why + "; the container may not have run long enough to be ready"
	case passes:
		return Disagree, why + ", and the container is not ready"
	}
	return Disagree, why + ", and the container is ready"
}

// alive compares with the fact that the container runs.
func (c Comparison) alive(passes bool, why string) (Agreement, string) {
	switch {
	case passes:
		return Agree, why
	case c.Kind == mutate.Startup && !c.After.Ready:
		return CannotTell, why + "; the startup probe passed long ago, and the container is not ready now"
	case c.Kind == mutate.Liveness && c.After.RunningFor < c.Patience:
		return CannotTell, why + "; the exec probe may be failing too, the container runs too shortly to tell"
	}
	return Disagree, why + ", and the container has not been restarted for it"
}

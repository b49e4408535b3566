package podload

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Tally counts creations. It may be used by several goroutines at once; its zero
// value is ready.
type Tally struct {
	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally holds.
type Counts struct {
	// Pods were answered; Legacy and DryRun are how many of them were such.
	Pods, Legacy, DryRun int
	// Retried are attempts that did not reach an API server in service.
	Retried int
	// Refused are the API server's refusals, in its words.
	Refused []string
	// Unmutated are the legacy Pods that came back as they were sent.
	Unmutated []Miss
	// Unreachable is what the last of the retried attempts met.
	Unreachable string
}

// Miss is a legacy Pod that came back as it was sent: when its creation began
// and ended.
type Miss struct {
	Begin, End time.Time
	Name       string
}

// creation is one answered attempt.
type creation struct {
	begin, end     time.Time
	legacy, dryRun bool
	pod            *corev1.Pod
	problem        error
}

// Counts returns what was counted so far.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts.Plus(Counts{})
}

// Plus returns the sum of two counts.
func (c Counts) Plus(other Counts) Counts {
	if other.Unreachable == "" {
		other.Unreachable = c.Unreachable
	}
	return Counts{
		Pods:        c.Pods + other.Pods,
		Legacy:      c.Legacy + other.Legacy,
		DryRun:      c.DryRun + other.DryRun,
		Retried:     c.Retried + other.Retried,
		Refused:     append(append([]string(nil), c.Refused...), other.Refused...),
		Unmutated:   append(append([]Miss(nil), c.Unmutated...), other.Unmutated...),
		Unreachable: other.Unreachable,
	}
}

// record counts one answer.
func (t *Tally) record(c creation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Pods++
	if c.legacy {
		t.counts.Legacy++
	}
	if c.dryRun {
		t.counts.DryRun++
	}
	switch {
	case c.problem != nil:
		t.counts.Refused = append(t.counts.Refused, fmt.Sprintf("%s: %v", c.end.Format(time.StampMilli), c.problem))
	case c.legacy && !rewritten(c.pod):
		t.counts.Unmutated = append(t.counts.Unmutated, Miss{Begin: c.begin, End: c.end, Name: c.pod.Name})
	}
}

// retry counts an attempt that will be made again.
func (t *Tally) retry(problem error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Retried++
	t.counts.Unreachable = problem.Error()
}

// unreachable tells whether a creation failed because there was no API server in
// service, as opposed to one that refused the Pod: a connection that failed, or
// one of the answers that an API server gives while it starts or stops.
func unreachable(problem error) bool {
	var status apierrors.APIStatus
	if !errors.As(problem, &status) {
		return true
	}
	return apierrors.IsServiceUnavailable(problem) || apierrors.IsTooManyRequests(problem) ||
		apierrors.IsForbidden(problem) && strings.Contains(problem.Error(), "not yet ready to handle request")
}

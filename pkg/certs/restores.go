package certs

import (
	"slices"
	"time"
)

// Somebody who keeps taking our certificates out of the caBundle must not make
// us write as fast as they do.
const (
	restoresFree   = 3
	restoresWindow = 10 * time.Minute
	restoresPause  = time.Second
	restoresMost   = time.Minute
)

// restores counts the repairs of the caBundle and says when the next may
// follow. Its times are monotonic.
type restores struct {
	times     []time.Duration
	pause     time.Duration
	notBefore time.Duration
}

// wait returns how long the next repair must wait.
func (r *restores) wait(now time.Duration) time.Duration {
	return max(0, r.notBefore-now)
}

// record counts a repair and tells whether a fight has begun with it.
func (r *restores) record(now time.Duration) (fight bool) {
	r.times = slices.DeleteFunc(r.times, func(t time.Duration) bool { return now-t > restoresWindow })
	r.times = append(r.times, now)
	if len(r.times) <= restoresFree {
		r.pause = 0
		return false
	}
	fight = r.pause == 0
	r.pause = min(max(2*r.pause, restoresPause), restoresMost)
	r.notBefore = now + r.pause
	return fight
}

package certs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// serve signs a leaf when a new one is due and looks whether clients
// accept the one that is served.
func (r *replica) serve(c configuration) error {
	now := r.now()
	var skewed error
	if now.Skew() > skewTolerated {
		skewed = r.skewError(now)
	} else if r.wantsLeaf(now) {
		leaf, err := r.keys.sign(now, r.state.Current, min(r.options.LeafLife, r.state.LeafLife))
		if err != nil {
			return err
		}
		r.take(leaf)
	}
	if now.Skew() > skewNoted && skewed == nil {
		r.report.Log.Info("clock differs from the API server's: set it", "difference", now.Skew())
	}
	return errors.Join(skewed, r.judge(now, c))
}

// wantsLeaf tells whether to sign a leaf with the current CA. A leaf of
// another CA is given up once this replica itself has seen the current CA
// trusted for the settle time, or at once when that leaf is of no use.
func (r *replica) wantsLeaf(now Now) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaf, current := r.leaf.Load(), r.state.Current.SHA256
	held, published := r.trust.held()[current]
	switch {
	case leaf == nil:
		return published
	case leaf.Issuer.SHA256 == current:
		return !now.Server.Before(r.renewal)
	case held >= r.options.Settle && published:
		return true
	}
	useful := r.trust.holds(leaf.Issuer.SHA256) && leaf.NotAfter.After(now.Server.Add(r.options.spentMargin()))
	if published && !useful {
		return true
	}
	if published {
		r.wakeBy(r.options.Settle - held)
		// Or when the leaf is of no use any more, if that is sooner: until the next
		// look the replica would not be ready.
		r.wakeBy(leaf.NotAfter.Sub(now.Server) - r.options.spentMargin())
	}
	return false
}

// wakeBy asks for the next look no later than after d.
func (r *replica) wakeBy(d time.Duration) {
	if r.wake == 0 || d < r.wake {
		r.wake = max(d, time.Millisecond)
	}
}

// take serves a new leaf.
func (r *replica) take(leaf *Leaf) {
	r.mu.Lock()
	r.renewal = leaf.renewAt(r.jitter())
	r.mu.Unlock()
	r.leaf.Store(leaf)
	r.report.Metrics.setExpiry(leaf.NotAfter)
	r.report.Log.Info("serving certificate signed", "issuer", leaf.Issuer.SHA256, "expires", leaf.NotAfter)
}

// judge verifies the leaf against every entry and keeps the gate.
func (r *replica) judge(now Now, c configuration) error {
	leaf, words := r.leaf.Load(), r.options.words()
	var problems []string
	for _, e := range c.Entries {
		if leaf == nil {
			break
		}
		if err := r.keys.verify(now, leaf, e.Bundle, e.Host); err != nil {
			problems = append(problems, fmt.Sprintf("%s %s: %v", words.entry, e.Name, err))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Next != nil {
		held := r.trust.held()[r.state.Next.SHA256]
		r.wakeBy(max(r.options.Settle-held, r.options.overlapLeft(now, r.state)))
	}
	r.gate.stranded(r.clock.monotonic(), leaf != nil &&
		r.trust.holds(r.state.Current.SHA256) && !r.trust.holds(leaf.Issuer.SHA256))
	switch {
	case leaf == nil:
		return fmt.Errorf("the CA is not yet in the %s", words.everyone)
	case len(problems) > 0:
		return fmt.Errorf("%s do not accept the serving certificate for %s: %s: %s",
			words.clients, words.object, strings.Join(problems, "; "), words.unproved)
	}
	r.gate.pass()
	r.wakeForDue(now, leaf)
	return nil
}

// wakeForDue asks for the next look when a leaf of the current CA is to be
// renewed or a previous CA is to be retired, whichever is first. Where that
// time has passed and nothing could be done, once a second is often enough.
func (r *replica) wakeForDue(now Now, leaf *Leaf) {
	if leaf.Issuer.SHA256 == r.state.Current.SHA256 {
		r.wakeBy(max(r.renewal.Sub(now.Server), time.Second))
	}
	for _, p := range r.state.Previous {
		r.wakeBy(max(p.RetireAt.Sub(now.Earliest()), time.Second))
	}
}

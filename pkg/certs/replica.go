package certs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// signFresh is for how long a replica may sign from a state that it has
	// read.
	signFresh = 10 * time.Minute
	// passes is how often a replica starts again because somebody was faster
	// before it leaves the rest to the next round.
	passes = 20
)

// errAgain ends a pass that has changed something: the next reads again.
var errAgain = errors.New("read again")

// replica is one replica's part in keeping the certificates. All of its I/O
// and its clock are passed in. One goroutine calls reconcile; see, Ready and
// GetCertificate may be called from any.
type replica struct {
	options Options
	store   store
	keys    keyring
	clock   clock
	jitter  func() float64 // in [0, 1)
	report  Report
	health  health

	// The rules, in fields so that tests can break them.
	advance func(Now, State, Observed) (State, Actions)
	merge   func(Now, Bundle, State) Merged

	leaf    atomic.Pointer[Leaf]
	foreign string // certificates that were told of last, by SHA-256

	mu       sync.Mutex // guards what follows
	server   serverClock
	trust    trust
	gate     gate
	state    State
	absent   *time.Duration // monotonic; since when there is no readable state
	renewal  time.Time
	restores restores
	wake     time.Duration // until the next look, 0: the interval
}

// newReplica returns a replica without memory.
func newReplica(options Options, store store, keys keyring, clock clock, jitter func() float64, report Report) *replica {
	return &replica{
		options: options,
		store:   store,
		keys:    keys,
		clock:   clock,
		jitter:  jitter,
		report:  report,
		health:  health{report: report, reason: "Certificates"},
		advance: options.Advance,
		merge:   Merge,
	}
}

// see takes a version of the configuration, as a watch delivers it, into
// account.
func (r *replica) see(c configuration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trust.look(r.clock.monotonic(), c)
}

// count takes an answer of the API server, to a call that began then, into
// account.
func (r *replica) count(began time.Duration, c configuration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trust.read(began, r.clock.monotonic(), c)
}

// reconcile brings Secret, published CA and leaf to where they should be, and
// returns when to look again at the latest.
func (r *replica) reconcile(ctx context.Context) time.Duration {
	r.wake = 0
	err := errAgain
	for i := 0; i < passes && errors.Is(err, errAgain) && ctx.Err() == nil; i++ {
		err = r.pass(ctx)
	}
	if ctx.Err() != nil {
		return 0
	}
	if errors.Is(err, errAgain) {
		err = fmt.Errorf("the Secret %s/%s and %s change faster than this replica can follow: find who writes them with kubectl get --show-managed-fields",
			r.options.Namespace, r.options.Secret, r.options.words().object)
	}
	r.health.note(err)
	switch {
	case r.wake > 0:
		return min(r.wake, r.options.Interval)
	case err != nil:
		return min(time.Second, r.options.Interval)
	}
	return r.options.Interval
}

// pass reads both objects and does what is to be done next.
func (r *replica) pass(ctx context.Context) error {
	readAt, readWall := r.clock.monotonic(), r.clock.wall()
	read, err := r.readSecret(ctx)
	if err != nil {
		return err
	}
	// A missing configuration does not keep the state from being kept, but
	// whatever was counted before proves nothing then.
	c, missing := r.readConfiguration(ctx)
	if err := r.step(ctx, read, missing == nil); err != nil {
		return err
	}
	if missing != nil {
		return missing
	}
	c, err = r.publish(ctx, read, c)
	if err != nil {
		return err
	}
	r.tellForeign(c)
	if age := max(r.clock.monotonic()-readAt, r.clock.wall().Sub(readWall)); age > signFresh {
		return errAgain
	}
	return r.serve(c)
}

// readSecret reads the Secret and notes since when there is no state in it.
func (r *replica) readSecret(ctx context.Context) (secret, error) {
	read, err := r.store.readSecret(ctx)
	if err != nil {
		return secret{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	monotonic := r.clock.monotonic()
	r.server.observe(read.Date, monotonic)
	switch {
	case read.State != nil:
		r.absent = nil
	case r.absent == nil:
		r.absent = &monotonic
	}
	return read, nil
}

// readConfiguration reads the configuration and counts what it trusts.
func (r *replica) readConfiguration(ctx context.Context) (configuration, error) {
	began := r.clock.monotonic()
	c, err := r.store.readConfiguration(ctx)
	if err != nil {
		return configuration{}, err
	}
	r.count(began, c)
	return c, nil
}

// now returns the time on both clocks and reports a difference.
func (r *replica) now() Now {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.server.now(r.clock)
	r.report.Metrics.skew.Set(now.Local.Sub(now.Server).Seconds())
	return now
}

// step advances the state by one step. It returns errAgain after each step, so
// that the next one starts from what the API server has. Counted tells whether
// this pass has read the configuration.
func (r *replica) step(ctx context.Context, read secret, counted bool) error {
	now := r.now()
	seen := r.observed(read)
	if !counted {
		seen.Held = nil
	}
	if read.Problem != nil {
		r.health.note(read.Problem)
	}
	next, actions := r.advance(now, r.state, seen)
	if actions.NeedsFresh {
		fresh, err := r.keys.mint(now)
		if err != nil {
			return err
		}
		seen.Fresh = &fresh
		next, actions = r.advance(now, r.state, seen)
	}
	switch {
	case actions.Wait > 0:
		r.wake = actions.Wait
		return r.waiting(now, read)
	case actions.Step == "":
		r.remember(next)
		return nil
	}
	if err := r.store.writeSecret(ctx, read, next); err != nil {
		return againOnConflict(err)
	}
	r.remember(next)
	r.report.Metrics.steps.WithLabelValues(string(actions.Step)).Inc()
	r.report.Log.Info("certificate state changed", "step", actions.Step, "epoch", next.Epoch, "current", next.Current.SHA256)
	if actions.Untrusted {
		r.report.Metrics.untrusted.Inc()
		r.report.warn("CertificateUntrustedStart", fmt.Sprintf(
			"a new CA is used at once (%s): %s", actions.Step, r.options.words().untrusted))
	}
	return errAgain
}

// remember makes a state the memory of this replica.
func (r *replica) remember(state State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
}

// observed gathers what Advance looks at.
func (r *replica) observed(read secret) Observed {
	r.mu.Lock()
	defer r.mu.Unlock()
	monotonic := r.clock.monotonic()
	seen := Observed{
		Live:   read.State,
		Rotate: read.Rotate,
		Revoke: read.Revoke,
		Held:   r.trust.held(),
	}
	if r.absent != nil {
		seen.AbsentFor = monotonic - *r.absent
	}
	if leaf := r.leaf.Load(); leaf != nil {
		seen.Issuer, seen.LeafUntil = &leaf.Issuer, leaf.NotAfter
	}
	return seen
}

// waiting explains why there is no state yet.
func (r *replica) waiting(now Now, read secret) error {
	if now.Skew() > skewTolerated {
		return r.skewError(now)
	}
	if read.Problem != nil {
		return read.Problem
	}
	return fmt.Errorf("no Secret %s/%s yet: waiting %s for another replica to write it, then making it",
		r.options.Namespace, r.options.Secret, mintWait)
}

func (r *replica) skewError(now Now) error {
	return fmt.Errorf("clock of this node differs from the API server's by %s: set it right; nothing is signed while they differ by more than %s",
		now.Skew().Round(time.Hour), skewTolerated)
}

func againOnConflict(err error) error {
	if errors.Is(err, errConflict) {
		return errAgain
	}
	return err
}

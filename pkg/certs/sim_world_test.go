package certs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand"
	"slices"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// The simulator runs the replicas' own code against a model of the API server.
// Time, order, delays and faults come from the seed alone.

// simOrigin is when every simulation begins.
var simOrigin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// simOptions are the options of the older release in the simulation: short
// lives, so that a few hours see whole rotations.
func simOptions(kind Kind) Options {
	o := DefaultOptions()
	o.CALife = 12 * time.Hour
	if kind == Discovery {
		o = DefaultDiscoveryOptions()
		o.CALife, o.Overlap = 15*time.Hour, time.Hour
	}
	o.LeafLife = 3 * time.Hour
	o.Interval = 5 * time.Minute
	return o
}

// violation is a check that failed.
type violation struct{ check, text string }

// world is the API server, its objects, and all replicas.
type world struct {
	kind   Kind
	rng    *rand.Rand
	now    time.Duration
	mutant mutant

	version  int
	serial   int
	secret   *secret // nil: there is none
	absentAt time.Duration
	config   *configuration // nil: there is none
	present  map[string]time.Duration
	past     []configuration
	backup   []State

	replicas  []*simReplica
	faults    bool
	downUntil time.Duration
	revoked   map[string]bool
	prepared  map[string]time.Duration // when each CA was first written as the next one
	violated  *violation

	trace   bool
	history []string
}

// note writes a line of the history.
func (w *world) note(format string, arguments ...any) {
	if w.trace {
		w.history = append(w.history, fmt.Sprintf("%12s  ", w.now.Truncate(time.Millisecond))+fmt.Sprintf(format, arguments...))
	}
}

// fail notes the first violation.
func (w *world) fail(check, format string, arguments ...any) {
	if w.violated == nil {
		w.violated = &violation{check, fmt.Sprintf(format, arguments...)}
		w.note("VIOLATED %s: %s", check, w.violated.text)
	}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int63n(int64(b-a)+1))
}

func (w *world) serverTime() time.Time { return simOrigin.Add(w.now) }

func (w *world) nextVersion() string {
	w.version++
	return strconv.Itoa(w.version)
}

// setSecret writes the Secret, or deletes it.
func (w *world) setSecret(s *secret) {
	if s == nil {
		w.absentAt = w.now
	} else {
		s.Version = w.nextVersion()
		if s.State != nil {
			w.backup = append(w.backup, *s.State)
		}
	}
	w.secret = s
	for _, r := range w.replicas {
		r.deliver(nil)
	}
}

// setConfig writes the configuration's entries as the API server does: the
// generation rises when they change. A ConfigMap has none.
func (w *world) setConfig(c configuration) {
	c.Version = w.nextVersion()
	if w.config == nil {
		c.UID, c.Generation = c.Version, 1
	} else {
		c.UID, c.Generation = w.config.UID, w.config.Generation+1
	}
	if w.kind == Discovery {
		c.Generation = 0
	}
	w.config = &c
	present := map[string]time.Duration{}
	for sha := range c.trusted() {
		present[sha] = w.now
		if since, ok := w.present[sha]; ok {
			present[sha] = since
		}
	}
	w.present = present
	w.past = append(w.past, c)
	for _, r := range w.replicas {
		r.deliver(&c)
	}
}

// deleteConfig deletes the configuration.
func (w *world) deleteConfig() {
	w.config = nil
	w.present = nil
}

// freshConfig is the configuration of the manifests, or a new ConfigMap.
func (w *world) freshConfig() configuration {
	if w.kind == Discovery {
		return configuration{Entries: []entry{{Name: keyBundle, Host: "h"}}}
	}
	return configuration{Entries: []entry{
		{Name: "rewrite.probeshift.dev", Host: "h"}, {Name: "audit.probeshift.dev", Host: "h"},
	}}
}

// newCertificate makes a certificate of the model.
func (w *world) newCertificate(kind string, issued time.Time, life time.Duration) Certificate {
	w.serial++
	return Certificate{
		SHA256:    fmt.Sprintf("%s-%d", kind, w.serial),
		NotBefore: issued.Add(-backdate),
		NotAfter:  issued.Add(life),
	}
}

// delivery is an event of a watch.
type delivery struct {
	at     time.Duration
	config *configuration // nil: the Secret
}

// yielded is what a process waits for.
type yielded struct {
	until time.Duration
	idle  bool // may be woken by a watch
}

// simReplica is one replica's process and its place in the world.
type simReplica struct {
	w       *world
	name    string
	options Options
	*replica

	started time.Duration
	offset  time.Duration // of the wall clock
	frozen  time.Duration // by which the monotonic clock is behind
	// frozenNow is what of it belongs to the suspension that ends at sleepsUntil.
	frozenNow, sleepsUntil time.Duration
	cut                    time.Duration // partitioned until
	watchDead              time.Duration // nothing is delivered until
	wakeAt                 yielded
	pending                []delivery

	yield func(yielded) bool
	next  func() (yielded, bool)
	stop  func()
	dead  bool

	end context.CancelFunc

	// What the checks remember of the last calls.
	read          map[string]time.Duration // for how long each certificate was trusted when the configuration was read
	retiredAtRead map[string]bool
	stateAt       time.Duration
	epoch         int64
	wasReady      bool
	served        *Leaf
}

var (
	_ store   = (*simReplica)(nil)
	_ clock   = (*simReplica)(nil)
	_ keyring = (*simReplica)(nil)
)

func (r *simReplica) wall() time.Time          { return simOrigin.Add(r.w.now + r.offset) }
func (r *simReplica) monotonic() time.Duration { return r.w.now - r.started - r.frozen }

// start runs a new process: without memory.
func (r *simReplica) start() {
	metrics := NewMetrics(prometheus.NewRegistry())
	r.replica = newReplica(r.options, r, r, r, r.w.rng.Float64, Report{Log: logr.Discard(), Metrics: metrics})
	r.started, r.frozen, r.frozenNow, r.dead, r.pending = r.w.now, 0, 0, false, nil
	r.read, r.epoch, r.wasReady, r.served = nil, -1, false, nil
	if r.w.mutant.broken != nil {
		r.w.mutant.broken(r)
	}
	ctx, end := context.WithCancel(context.Background())
	r.end = end
	r.next, r.stop = iter.Pull(func(yield func(yielded) bool) {
		r.yield = yield
		for ctx.Err() == nil {
			d := r.reconcile(ctx)
			if r.dead || !yield(yielded{r.w.now + d, true}) {
				return
			}
		}
	})
	r.wakeAt = yielded{r.w.now, true}
}

// kill ends the process in the midst of whatever it does.
func (r *simReplica) kill() {
	r.dead = true
	r.end()
	r.stop()
}

// deliver puts an event into the watch of a process.
func (r *simReplica) deliver(c *configuration) {
	w := r.w
	if r.dead || w.faults && w.chance(0.05) {
		return
	}
	at := w.now + w.between(time.Millisecond, 50*time.Millisecond)
	if w.faults && w.chance(0.05) {
		at = w.now + w.between(0, 5*time.Minute)
	}
	at = max(at, r.watchDead)
	if n := len(r.pending); n > 0 {
		at = max(at, r.pending[n-1].at)
	}
	r.pending = append(r.pending, delivery{at, c})
}

// due returns when the process has something to do.
func (r *simReplica) due() time.Duration {
	at := r.wakeAt.until
	if len(r.pending) > 0 {
		at = min(at, r.pending[0].at)
	}
	return at
}

// run does what is due.
func (r *simReplica) run() {
	if len(r.pending) > 0 && r.pending[0].at <= r.w.now {
		d := r.pending[0]
		r.pending = r.pending[1:]
		if d.config != nil {
			r.see(*d.config)
		}
		if r.wakeAt.idle {
			r.wakeAt.until = min(r.wakeAt.until, r.w.now+leastPause)
		}
		return
	}
	wait, ok := r.next()
	if !ok {
		panic("a process ended by itself")
	}
	r.wakeAt = wait
	r.w.inspect(r)
}

var errSim = errors.New("the network has failed")

// call is one call of the API server: a delay, the effect, a delay. It may be
// lost before the effect or after it.
func (r *simReplica) call(effect func() error) error {
	if err := r.pause(); err != nil {
		return err
	}
	w := r.w
	if w.now < r.cut || w.now < w.downUntil || w.faults && w.chance(0.01) {
		return errSim
	}
	err := effect()
	if pauseErr := r.pause(); pauseErr != nil {
		return pauseErr
	}
	if w.faults && w.chance(0.01) {
		return errSim
	}
	return err
}

// pause lets the others run for the time that a message takes.
func (r *simReplica) pause() error {
	if r.dead {
		return context.Canceled
	}
	w := r.w
	d := w.between(0, 10*time.Millisecond)
	if w.faults {
		switch {
		case w.chance(0.01):
			d = w.between(0, 10*time.Minute)
		case w.chance(0.05):
			d = w.between(0, 5*time.Second)
		}
	}
	if !r.yield(yielded{w.now + d, false}) {
		return context.Canceled
	}
	return nil
}

func (r *simReplica) readSecret(context.Context) (out secret, err error) {
	w := r.w
	err = r.call(func() error {
		if w.secret != nil {
			out = *w.secret
		}
		out.Date = w.serverTime().Add(w.between(0, time.Minute)).Truncate(time.Second)
		r.stateAt = w.now
		return nil
	})
	return out, err
}

func (r *simReplica) writeSecret(_ context.Context, on secret, state State) error {
	w := r.w
	return r.call(func() error {
		version := ""
		if w.secret != nil {
			version = w.secret.Version
		}
		if version != on.Version && !w.mutant.blindSecret {
			return errConflict
		}
		w.checkWrite(r, on, state)
		s := &secret{State: &state}
		if w.secret != nil {
			s.Rotate, s.Revoke = w.secret.Rotate, w.secret.Revoke
		}
		w.note("%s writes the Secret: epoch %d, current %s, next %v, previous %d, retired %d", r.name, state.Epoch,
			state.Current.SHA256, nextName(state), len(state.Previous), len(state.Retired))
		w.setSecret(s)
		return nil
	})
}

func nextName(state State) string {
	if state.Next == nil {
		return "none"
	}
	return state.Next.SHA256
}

func (r *simReplica) readConfiguration(context.Context) (out configuration, err error) {
	w := r.w
	err = r.call(func() error {
		if w.config == nil {
			return errors.New("there is no configuration")
		}
		out = *w.config
		r.remember()
		return nil
	})
	return out, err
}

// remember keeps what the world was like when the configuration was read.
func (r *simReplica) remember() {
	r.read = map[string]time.Duration{}
	for sha, since := range r.w.present {
		r.read[sha] = r.w.now - since
	}
	r.retiredAtRead = map[string]bool{}
	if s := r.w.secret; s != nil && s.State != nil {
		for _, retired := range s.State.Retired {
			r.retiredAtRead[retired.SHA256] = true
		}
	}
}

func (r *simReplica) applyBundles(_ context.Context, c configuration) (out configuration, err error) {
	w := r.w
	err = r.call(func() error {
		if w.config == nil || w.config.Version != c.Version && !w.mutant.blindApply {
			return errConflict
		}
		w.checkApply(r, c)
		w.note("%s applies %s", r.name, bundleNames(c))
		w.setConfig(configuration{Entries: c.Entries})
		out = *w.config
		retired := r.retiredAtRead
		r.remember()
		maps.Copy(r.retiredAtRead, retired)
		return nil
	})
	return out, err
}

func bundleNames(c configuration) string {
	var names []string
	for _, e := range c.Entries {
		var in []string
		for _, certificate := range e.Bundle.Certificates {
			in = append(in, certificate.SHA256)
		}
		names = append(names, fmt.Sprint(in))
	}
	if len(slices.Compact(slices.Clone(names))) == 1 {
		return names[0]
	}
	return fmt.Sprint(names)
}

func (r *simReplica) mint(now Now) (Authority, error) {
	return Authority{Certificate: r.w.newCertificate("ca", now.Server, r.options.CALife)}, nil
}

func (r *simReplica) sign(now Now, ca Authority, life time.Duration) (*Leaf, error) {
	issued, end := leafLife(now, ca.Certificate, life)
	if r.w.mutant.immortalLeaf {
		end = issued.Add(life)
	}
	return &Leaf{Issuer: ca.Certificate, IssuedAt: issued, NotAfter: end}, nil
}

func (r *simReplica) verify(now Now, leaf *Leaf, bundle Bundle, _ string) error {
	if !bundle.holds(leaf.Issuer.SHA256) {
		return errors.New("signed by unknown authority")
	}
	if !now.Server.Before(leaf.NotAfter) {
		return errors.New("expired")
	}
	return nil
}

package certs

import (
	"errors"
	"slices"
	"time"
)

// How long faults go on, and how long the world is left alone afterwards.
const (
	simFaulty = 10 * time.Hour
	simQuiet  = 6 * time.Hour
)

// simulate runs one seed and returns the world as it ends.
func simulate(w *world) {
	w.faults = w.chance(0.9)
	w.revoked, w.prepared = map[string]bool{}, map[string]time.Duration{}
	w.setConfig(w.freshConfig())
	for i := range []int{1, 2, 5}[w.rng.Intn(3)] {
		r := &simReplica{w: w, name: string(rune('A' + i)), options: simOptions(w.kind)}
		w.replicas = append(w.replicas, r)
		r.start()
	}
	defer func() {
		for _, r := range w.replicas {
			r.kill()
		}
	}()
	fault := w.between(0, time.Hour)
	for w.now < simFaulty && w.violated == nil {
		if due := w.next(); due.due() < fault {
			w.advance(due)
			continue
		}
		w.now = max(w.now, fault)
		w.fault()
		fault += w.between(time.Minute, 90*time.Minute)
	}
	w.heal()
	for w.now < simFaulty+simQuiet && w.violated == nil {
		w.advance(w.next())
	}
	for w.busy() && w.violated == nil {
		w.advance(w.next())
	}
	if w.violated == nil {
		w.checkHealed()
	}
}

// busy tells whether a process is in the midst of a round or about to begin
// one because of an event.
func (w *world) busy() bool {
	return slices.ContainsFunc(w.replicas, func(r *simReplica) bool {
		return !r.wakeAt.idle || len(r.pending) > 0 || r.wakeAt.until <= w.now+leastPause
	})
}

// next returns the process that is due first.
func (w *world) next() *simReplica {
	first := w.replicas[0]
	for _, r := range w.replicas[1:] {
		if r.due() < first.due() {
			first = r
		}
	}
	return first
}

func (w *world) advance(r *simReplica) {
	w.now = max(w.now, r.due())
	r.run()
}

func (w *world) someone() *simReplica { return w.replicas[w.rng.Intn(len(w.replicas))] }

// fault does one thing that goes wrong, or that an operator may do.
func (w *world) fault() {
	faults := []func(){
		w.rotate, w.rotate, w.rotate,
		w.deleteSecret, w.corruptSecret, w.wipe, w.garble, w.revert, w.addForeign,
		w.partition, w.suspend, w.jump, w.restart, w.upgrade, w.deadWatch, w.down,
		w.replaceConfig,
	}
	switch w.rng.Intn(100) {
	case 0:
		w.revoke()
	case 1:
		w.restoreBackup()
	default:
		faults[w.rng.Intn(len(faults))]()
	}
}

func (w *world) rotate() { w.annotate("rotate") }
func (w *world) revoke() { w.annotate("revoke") }

func (w *world) annotate(what string) {
	if w.secret == nil {
		return
	}
	s := *w.secret
	value := w.now.String()
	if what == "revoke" {
		s.Revoke = value
	} else {
		s.Rotate = value
	}
	w.note("the operator asks to %s", what)
	w.setSecret(&s)
}

func (w *world) deleteSecret() {
	if w.secret == nil {
		return
	}
	w.note("somebody deletes the Secret")
	w.setSecret(nil)
}

func (w *world) corruptSecret() {
	if w.secret == nil {
		return
	}
	w.note("somebody makes the Secret unreadable")
	w.absentAt = w.now
	s := *w.secret
	s.State, s.Problem = nil, errors.New("unreadable")
	w.setSecret(&s)
}

func (w *world) restoreBackup() {
	if len(w.backup) == 0 {
		return
	}
	state := w.backup[w.rng.Intn(len(w.backup))]
	w.note("somebody restores the Secret of epoch %d", state.Epoch)
	w.setSecret(&secret{State: &state})
}

// edit changes the configuration as somebody else would.
func (w *world) edit(what string, change func(i int, bundle *Bundle)) {
	if w.config == nil {
		return
	}
	c := configuration{Entries: slices.Clone(w.config.Entries)}
	for i := range c.Entries {
		b := Bundle{Certificates: slices.Clone(c.Entries[i].Bundle.Certificates), Unclean: c.Entries[i].Bundle.Unclean}
		change(i, &b)
		c.Entries[i].Bundle = b
	}
	w.note("somebody %s: %s", what, bundleNames(c))
	w.setConfig(c)
}

func (w *world) wipe() {
	only := w.rng.Intn(3) // 2: every entry
	w.edit("wipes the caBundle", func(i int, b *Bundle) {
		if only == 2 || only == i {
			*b = Bundle{}
		}
	})
}

func (w *world) garble() {
	w.edit("writes bytes that are no certificate", func(_ int, b *Bundle) { *b = Bundle{Unclean: true} })
}

func (w *world) revert() {
	old := w.past[w.rng.Intn(len(w.past))]
	w.edit("writes an old caBundle again", func(i int, b *Bundle) { *b = old.Entries[i].Bundle })
}

func (w *world) addForeign() {
	var added []Certificate
	for range 1 + w.rng.Intn(12) {
		added = append(added, w.newCertificate("foreign", w.serverTime(), w.between(time.Hour, 48*time.Hour)))
	}
	w.edit("adds foreign certificates", func(_ int, b *Bundle) { b.Certificates = append(b.Certificates, added...) })
}

func (w *world) replaceConfig() {
	w.note("somebody deletes the configuration and makes it again")
	w.deleteConfig()
	w.setConfig(w.freshConfig())
}

func (w *world) partition() {
	r := w.someone()
	r.cut = w.now + w.between(time.Second, 5*time.Hour)
	r.watchDead = max(r.watchDead, r.cut)
	w.note("%s is cut off until %s", r.name, r.cut)
}

func (w *world) deadWatch() {
	r := w.someone()
	r.watchDead = max(r.watchDead, w.now+w.between(time.Second, 20*time.Minute))
	w.note("%s's watch is dead until %s", r.name, r.watchDead)
}

func (w *world) down() {
	w.downUntil = w.now + w.between(time.Second, 30*time.Minute)
	w.note("the API server is away until %s", w.downUntil)
}

func (w *world) suspend() {
	r := w.someone()
	d := w.between(time.Second, 5*time.Hour)
	if r.sleepsUntil <= w.now {
		r.frozenNow = 0
	}
	if w.chance(0.5) {
		r.frozen += d // the whole machine: its monotonic clock stands still
		r.frozenNow += d
	}
	r.wakeAt.until = max(r.wakeAt.until, w.now) + d
	r.sleepsUntil = r.wakeAt.until
	r.watchDead = max(r.watchDead, w.now+d)
	for i := range r.pending {
		r.pending[i].at = max(r.pending[i].at, w.now+d)
	}
	w.note("%s is suspended for %s", r.name, d)
}

// asleep tells whether the machine has been suspended in the midst of a call.
// If its wall clock jumped back too, nothing could tell how long it has slept.
func (r *simReplica) asleep() bool { return !r.wakeAt.idle && r.frozen > 0 }

func (w *world) jump() {
	r := w.someone()
	if r.asleep() {
		return
	}
	r.offset = w.between(-14*time.Hour, 14*time.Hour)
	w.note("%s's clock jumps to %s off", r.name, r.offset)
}

func (w *world) restart() {
	r := w.someone()
	w.note("%s is killed and starts again", r.name)
	r.kill()
	r.start()
}

// upgrade restarts a replica as another release, whose lives differ.
func (w *world) upgrade() {
	r := w.someone()
	r.options = simOptions(w.kind)
	if w.chance(0.5) {
		r.options.LeafLife = 3*time.Hour + 45*time.Minute
		r.options.Settle = 10 * time.Minute
	}
	w.note("%s is replaced by a release with leaves of %s", r.name, r.options.LeafLife)
	r.kill()
	r.start()
}

// heal ends all faults.
func (w *world) heal() {
	w.note("all faults end")
	w.faults, w.downUntil = false, 0
	if w.config == nil {
		w.setConfig(w.freshConfig())
	}
	for _, r := range w.replicas {
		if r.asleep() {
			r.kill()
			r.start()
		}
		r.cut, r.offset = 0, 0
		r.watchDead = min(r.watchDead, w.now)
		if early := r.wakeAt.until - (w.now + r.options.Interval); early > 0 {
			r.wakeAt.until -= early
			// A machine that sleeps no longer has not stood still for that time either:
			// else its monotonic clock would run backwards.
			if r.sleepsUntil > w.now {
				r.frozen -= min(early, r.frozenNow)
			}
		}
	}
}

package certs

import "time"

const (
	// mintWait is how long a replica without memory waits for one with memory
	// to write the state again before it makes a new CA.
	mintWait = 5 * time.Second
	// skewNoted and skewTolerated bound the difference between the clock of
	// the replica and that of the API server: beyond the first it is
	// reported, beyond the second the replica neither signs nor takes a step.
	skewNoted     = 5 * time.Minute
	skewTolerated = 12 * time.Hour
)

// Now is the time on the two clocks that matter: that of the replica and that
// of the API server, which is the one that verifies leaves.
type Now struct {
	Local, Server time.Time
}

// Skew returns how far apart the clocks are.
func (n Now) Skew() time.Duration { return n.Local.Sub(n.Server).Abs() }

// Earliest returns the time that both clocks have reached.
func (n Now) Earliest() time.Time {
	if n.Local.Before(n.Server) {
		return n.Local
	}
	return n.Server
}

// Latest returns the time that no clock has passed.
func (n Now) Latest() time.Time { return latest(n.Local, n.Server) }

// latest returns the later of two times.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Observed is what a replica knows beside its own memory.
type Observed struct {
	// Live is the state in the Secret; nil where the Secret is missing or
	// unreadable.
	Live *State
	// AbsentFor is how long Live has been nil.
	AbsentFor time.Duration
	// Rotate and Revoke are the values of the Secret's annotations.
	Rotate, Revoke string
	// Held is for how long this replica has seen each certificate in the live
	// object without a break, by SHA-256.
	Held map[string]time.Duration
	// Issuer signed the leaf that this replica serves, and LeafUntil is when
	// that leaf ends; nil and zero without a leaf.
	Issuer    *Certificate
	LeafUntil time.Time
	// Fresh is a new CA, made because an earlier call asked for one.
	Fresh *Authority
}

// Step names what changed a state.
type Step string

// The steps.
const (
	StepMint     Step = "mint"     // the first CA, or a new one for a state that is lost
	StepRestore  Step = "restore"  // write the state of this replica's memory
	StepRemember Step = "remember" // list what this replica knows to be retired
	StepRevoke   Step = "revoke"   // replace every CA at once
	StepReplace  Step = "replace"  // replace an expired CA at once
	StepKeep     Step = "keep"     // list the issuer of the leaf served as previous
	StepLeafLife Step = "leaf-life"
	StepActivate Step = "activate"
	StepRetire   Step = "retire"
	StepPrepare  Step = "prepare"
)

// Actions is what the caller of Advance has to do.
type Actions struct {
	// Step is what changed; the returned state must be written to the Secret,
	// on top of what was read. Empty: nothing to write.
	Step Step
	// NeedsFresh asks for another call with Observed.Fresh; nothing else is
	// set then.
	NeedsFresh bool
	// Untrusted says that the new current CA is used without having been
	// trusted for the settle time, because nothing trusted is left.
	Untrusted bool
	// Wait is how long to wait for somebody else to write the state.
	Wait time.Duration
}

// Advance decides the one next step. It is pure: equal arguments give equal
// results. The state passed in is the replica's memory, the zero State before
// its first reading; the state returned is the one to remember once it has
// been written or, without a step, at once.
func (o Options) Advance(now Now, memory State, seen Observed) (State, Actions) {
	state, actions := o.resolve(now, memory, seen)
	if actions != (Actions{}) || now.Skew() > skewTolerated {
		return state, actions
	}
	for _, step := range []func(Now, State, Observed) (State, Actions){
		o.revoke, o.replace, o.leafLife, o.keep, o.activate, o.retire, o.prepare,
	} {
		next, actions := step(now, state, seen)
		if actions.NeedsFresh {
			return state, actions
		}
		if actions.Step != "" {
			next.Epoch = state.Epoch + 1
			return next, actions
		}
	}
	return state, Actions{}
}

// resolve chooses between the memory and the Secret.
func (o Options) resolve(now Now, memory State, seen Observed) (State, Actions) {
	live := seen.Live
	switch {
	case live == nil && memory.empty():
		return o.mint(now, seen)
	case live == nil:
		return memory, Actions{Step: StepRestore}
	case memory.empty():
		return *live, Actions{}
	case live.Epoch < memory.Epoch || contradicts(memory, *live):
		return o.overwrite(now, memory, *live), Actions{Step: StepRestore}
	}
	if next, changed := remember(now, memory, *live); changed {
		return next, Actions{Step: StepRemember}
	}
	return *live, Actions{}
}

// mint makes the first state.
func (o Options) mint(now Now, seen Observed) (State, Actions) {
	switch {
	case now.Skew() > skewTolerated:
		return State{}, Actions{Wait: o.Interval}
	case seen.AbsentFor < mintWait:
		return State{}, Actions{Wait: mintWait - seen.AbsentFor}
	case seen.Fresh == nil:
		return State{}, Actions{NeedsFresh: true}
	}
	return State{
		Current:     *seen.Fresh,
		LeafLife:    o.LeafLife,
		Rotate:      seen.Rotate,
		Revoke:      seen.Revoke,
		ActivatedAt: now.Latest(),
	}, Actions{Step: StepMint, Untrusted: true}
}

// contradicts tells whether live trusts a CA that this replica knows to be
// retired: live then descends from a state older than this replica's.
func contradicts(memory, live State) bool {
	for _, c := range live.named() {
		if memory.retired(c.SHA256) {
			return true
		}
	}
	return false
}

// overwrite returns the memory as the successor of an older live state. Leaves
// of the CAs that signed there may be served: they become previous ones.
func (o Options) overwrite(now Now, memory, live State) State {
	retireAt := o.retireAt(now, memory)
	next := memory.keep(live.Current.Certificate, retireAt)
	if live.Next != nil {
		next = next.keep(live.Next.Certificate, retireAt)
	}
	next.Epoch = max(memory.Epoch, live.Epoch) + 1
	return next
}

// remember adds what the memory knows to be retired to the live state. An
// entry for an expired certificate is not worth a step.
func remember(now Now, memory, live State) (State, bool) {
	next := live
	for _, r := range memory.Retired {
		if !live.retired(r.SHA256) && r.NotAfter.After(now.Latest()) {
			next = next.retire(now.Earliest(), Certificate{SHA256: r.SHA256, NotAfter: r.NotAfter})
		}
	}
	if len(next.Retired) == len(live.Retired) {
		return live, false
	}
	next.Epoch = live.Epoch + 1
	return next, true
}

// revoke replaces all CAs, without overlap, because their keys are no secret
// any more.
func (o Options) revoke(now Now, state State, seen Observed) (State, Actions) {
	switch {
	case seen.Revoke == "" || seen.Revoke == state.Revoke:
		return state, Actions{}
	case seen.Fresh == nil:
		return state, Actions{NeedsFresh: true}
	}
	state = state.retire(now.Earliest(), state.named()...)
	state.Current, state.Next = *seen.Fresh, nil
	state.Rotate, state.Revoke = seen.Rotate, seen.Revoke
	state.ActivatedAt = now.Latest()
	return state, Actions{Step: StepRevoke, Untrusted: true}
}

// replace puts something usable in the place of a CA that is used up.
func (o Options) replace(now Now, state State, seen Observed) (State, Actions) {
	if !o.spent(now, state.Current.Certificate) {
		return state, Actions{}
	}
	state.ActivatedAt = now.Latest()
	if state.Next != nil && !o.spent(now, state.Next.Certificate) {
		untrusted := seen.Held[state.Next.SHA256] < o.Settle || o.overlapLeft(now, state) > 0
		old := state.Current.Certificate
		state.Current, state.Next = *state.Next, nil
		return state.keep(old, o.retireAt(now, state)), Actions{Step: StepReplace, Untrusted: untrusted}
	}
	if seen.Fresh == nil {
		return state, Actions{NeedsFresh: true}
	}
	old := state.Current.Certificate
	state.Current, state.Next = *seen.Fresh, nil
	return state.keep(old, o.retireAt(now, state)), Actions{Step: StepReplace, Untrusted: true}
}

// leafLife makes the life of this replica's leaves known before it signs one,
// so that no CA retires before them.
func (o Options) leafLife(_ Now, state State, _ Observed) (State, Actions) {
	if o.LeafLife <= state.LeafLife {
		return state, Actions{}
	}
	state.LeafLife = o.LeafLife
	return state, Actions{Step: StepLeafLife}
}

// keep lists the issuer of the leaf that this replica serves as previous, for
// as long as the leaf lives, where the state does not know it or would retire
// it earlier. That happens when another state has won.
func (o Options) keep(now Now, state State, seen Observed) (State, Actions) {
	if seen.Issuer == nil || seen.Issuer.expired(now.Server) || !state.retiresBefore(seen.Issuer.SHA256, seen.LeafUntil) {
		return state, Actions{}
	}
	return state.keep(*seen.Issuer, latest(o.retireAt(now, state), seen.LeafUntil)), Actions{Step: StepKeep}
}

// activate makes the next CA sign once it has been trusted long enough, and
// known for long enough to those who took what to trust only once.
func (o Options) activate(now Now, state State, seen Observed) (State, Actions) {
	if state.Next == nil {
		return state, Actions{}
	}
	if held, ok := seen.Held[state.Next.SHA256]; !ok || held < o.Settle || o.overlapLeft(now, state) > 0 {
		return state, Actions{}
	}
	old := state.Current.Certificate
	state.Current, state.Next = *state.Next, nil
	state.ActivatedAt = now.Latest()
	return state.keep(old, o.retireAt(now, state)), Actions{Step: StepActivate}
}

// retire takes the previous CAs whose time has come out of the state.
func (o Options) retire(now Now, state State, _ Observed) (State, Actions) {
	var due []Certificate
	for _, p := range state.Previous {
		if !now.Earliest().Before(p.RetireAt) || p.expired(now.Earliest()) {
			due = append(due, p.Certificate)
		}
	}
	if due == nil {
		return state, Actions{}
	}
	return state.retire(now.Earliest(), due...), Actions{Step: StepRetire}
}

// prepare begins a rotation: at 2/3 of the CA's life, or when it is asked for.
// It waits while the bundle has no room.
func (o Options) prepare(now Now, state State, seen Observed) (State, Actions) {
	asked := seen.Rotate != "" && seen.Rotate != state.Rotate
	life := state.Current.NotAfter.Sub(state.Current.issuedAt())
	due := !now.Server.Before(state.Current.issuedAt().Add(life * 2 / 3))
	switch {
	case state.Next != nil || !asked && !due || len(state.named()) >= MaxBundle:
		return state, Actions{}
	case seen.Fresh == nil:
		return state, Actions{NeedsFresh: true}
	}
	state.Next = seen.Fresh
	state.Rotate = seen.Rotate
	state.PreparedAt = now.Latest()
	return state, Actions{Step: StepPrepare}
}

// retireAt returns when a CA that signs for the last time now may leave the
// bundle.
func (o Options) retireAt(now Now, state State) time.Time {
	return now.Latest().Add(max(state.LeafLife, o.LeafLife) + o.RetireMargin)
}

// overlapLeft returns how long the next CA has to wait for the end of the
// overlap, 0 without one.
func (o Options) overlapLeft(now Now, state State) time.Duration {
	if o.Overlap == 0 {
		return 0
	}
	return max(0, state.PreparedAt.Add(o.Overlap).Sub(now.Earliest()))
}

// spent tells whether a CA is of no use for a new leaf.
func (o Options) spent(now Now, c Certificate) bool {
	return c.expired(now.Server.Add(o.spentMargin()))
}

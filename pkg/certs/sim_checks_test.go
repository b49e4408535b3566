package certs

import (
	"slices"
	"time"
)

// The checks, each by the name of the rule that it guards.
const (
	checkIssuer   = "the issuer of a leaf in service is in the bundle"
	checkSettled  = "no CA is used before it has been trusted for the settle time"
	checkOverlap  = "no CA is used before it has been known for the overlap"
	checkRetired  = "a retired CA comes back through nobody's merge"
	checkWithin   = "a leaf never outlives its CA"
	checkForeign  = "foreign valid certificates stay"
	checkSixteen  = "a bundle holds at most sixteen certificates"
	checkDiffers  = "the caBundle is written only when it differs"
	checkEntries  = "a write names exactly the entries of the live object"
	checkEpoch    = "every step raises the epoch"
	checkMemory   = "no replica falls back to a lower epoch"
	checkDeletion = "deletion is not rotation"
	checkMint     = "a replica without memory waits before it mints"
	checkRotation = "a CA is replaced by rotation, by revocation, or when it is used up"
	checkRetire   = "a CA retires only after the last leaf of it"
	checkFresh    = "a replica signs only from a state read in the last ten minutes"
	checkSkew     = "a replica whose clock is hours off does not sign"
	checkReady    = "a replica that was Ready stays so"
	checkHeals    = "everything heals once the faults have ended"
)

// serving calls f for every process that serves an unexpired leaf.
func (w *world) serving(f func(r *simReplica, leaf *Leaf)) {
	for _, r := range w.replicas {
		if leaf := r.leaf.Load(); leaf != nil && !r.dead && w.serverTime().Before(leaf.NotAfter) {
			f(r, leaf)
		}
	}
}

// checkWrite looks at a write of the Secret as it happens.
func (w *world) checkWrite(r *simReplica, on secret, state State) {
	var live *State
	if w.secret != nil {
		live = w.secret.State
	}
	memory := r.state
	if live == nil {
		if !memory.empty() {
			if state.Current.SHA256 != memory.Current.SHA256 {
				w.fail(checkDeletion, "%s makes %s although it remembers %s", r.name, state.Current.SHA256, memory.Current.SHA256)
			}
			return
		}
		if w.now-w.absentAt < mintWait {
			w.fail(checkMint, "%s mints %s after the Secret has gone", r.name, w.now-w.absentAt)
		}
		return
	}
	if state.Epoch <= live.Epoch {
		w.fail(checkEpoch, "%s writes epoch %d over %d", r.name, state.Epoch, live.Epoch)
	}
	w.checkReplaced(r, on, *live, state)
	if state.Next != nil {
		if _, known := w.prepared[state.Next.SHA256]; !known {
			w.prepared[state.Next.SHA256] = w.now
		}
	}
	for _, p := range live.Previous {
		if !state.retired(p.SHA256) || live.retired(p.SHA256) || w.secret.Revoke != live.Revoke {
			continue
		}
		w.serving(func(other *simReplica, leaf *Leaf) {
			if leaf.Issuer.SHA256 == p.SHA256 && memory.named() != nil && !memory.retired(p.SHA256) {
				w.fail(checkRetire, "%s retires %s while %s serves a leaf of it until %s", r.name, p.SHA256, other.name, leaf.NotAfter.Sub(simOrigin))
			}
		})
	}
}

// checkReplaced looks at a write that changes the current CA.
func (w *world) checkReplaced(r *simReplica, on secret, live, state State) {
	if state.Current.SHA256 == live.Current.SHA256 {
		return
	}
	restored := r.state.Current.SHA256 == state.Current.SHA256
	used := r.options.spent(Now{Local: w.serverTime(), Server: w.serverTime().Add(2 * time.Minute)}, live.Current.Certificate)
	revoked := on.Revoke != live.Revoke
	if revoked {
		for _, c := range live.named() {
			w.revoked[c.SHA256] = true
		}
	}
	switch {
	case restored || used || revoked:
	case live.Next != nil && live.Next.SHA256 == state.Current.SHA256:
		if held, ok := r.read[state.Current.SHA256]; !ok || held < r.options.Settle {
			w.fail(checkSettled, "%s activates %s, trusted for %s", r.name, state.Current.SHA256, held)
		}
		// An answer with the API server's time may be ten minutes under way.
		if known := w.now - w.prepared[state.Current.SHA256]; known < r.options.Overlap-12*time.Minute {
			w.fail(checkOverlap, "%s activates %s, known for %s", r.name, state.Current.SHA256, known)
		}
	default:
		w.fail(checkRotation, "%s replaces %s by %s", r.name, live.Current.SHA256, state.Current.SHA256)
	}
}

// checkApply looks at a write of the caBundle as it happens.
func (w *world) checkApply(r *simReplica, c configuration) {
	sameEntry := func(a, b entry) bool { return a.Name == b.Name }
	if !slices.EqualFunc(c.Entries, w.config.Entries, sameEntry) {
		w.fail(checkEntries, "%s names other entries than there are", r.name)
		return
	}
	differs := false
	for i, e := range c.Entries {
		before := w.config.Entries[i].Bundle
		differs = differs || before.Unclean || bundleNames(configuration{Entries: []entry{{Bundle: before}}}) != bundleNames(configuration{Entries: []entry{e}})
		if len(e.Bundle.Certificates) > MaxBundle {
			w.fail(checkSixteen, "%s writes %d certificates", r.name, len(e.Bundle.Certificates))
		}
		for _, added := range e.Bundle.Certificates {
			if !before.holds(added.SHA256) && r.retiredAtRead[added.SHA256] {
				w.fail(checkRetired, "%s adds %s", r.name, added.SHA256)
			}
		}
		for _, removed := range before.Certificates {
			if !e.Bundle.holds(removed.SHA256) {
				w.checkRemoved(r, e, removed)
			}
		}
	}
	if !differs {
		w.fail(checkDiffers, "%s writes what is there", r.name)
	}
}

// checkRemoved looks at a certificate that a write takes out.
func (w *world) checkRemoved(r *simReplica, e entry, removed Certificate) {
	full := len(e.Bundle.Certificates) == MaxBundle
	if removed.expired(w.serverTime().Add(2*time.Minute)) || full && !r.state.names(removed.SHA256) {
		return
	}
	if !r.state.retired(removed.SHA256) {
		w.fail(checkForeign, "%s takes out %s", r.name, removed.SHA256)
	}
	w.serving(func(other *simReplica, leaf *Leaf) {
		if leaf.Issuer.SHA256 == removed.SHA256 && !w.revoked[removed.SHA256] {
			w.fail(checkIssuer, "%s takes out %s while %s serves a leaf of it", r.name, removed.SHA256, other.name)
		}
	})
}

// inspect looks at a process after it has run.
func (w *world) inspect(r *simReplica) {
	if r.state.Epoch < r.epoch {
		w.fail(checkMemory, "%s had epoch %d and has %d", r.name, r.epoch, r.state.Epoch)
	}
	if !r.state.empty() {
		r.epoch = r.state.Epoch
	}
	if leaf := r.leaf.Load(); leaf != r.served {
		w.note("%s serves a leaf of %s", r.name, leaf.Issuer.SHA256)
		w.checkLeaf(r, r.served, leaf)
		r.served = leaf
	}
	w.checkGate(r)
}

// checkLeaf looks at a leaf as it begins to be served.
func (w *world) checkLeaf(r *simReplica, old, leaf *Leaf) {
	if leaf.NotAfter.After(leaf.Issuer.NotAfter) {
		w.fail(checkWithin, "%s serves a leaf until %s of a CA until %s", r.name, leaf.NotAfter, leaf.Issuer.NotAfter)
	}
	if age := w.now - r.stateAt; age > signFresh {
		w.fail(checkFresh, "%s signs from a state read %s ago", r.name, age)
	}
	if r.offset.Abs() > skewTolerated+12*time.Minute { // an answer may be ten minutes under way
		w.fail(checkSkew, "%s signs while its clock is off by %s", r.name, r.offset)
	}
	if old != nil && old.Issuer.SHA256 == leaf.Issuer.SHA256 {
		return
	}
	held, trusted := r.read[leaf.Issuer.SHA256]
	if !trusted {
		w.fail(checkIssuer, "%s serves a leaf of %s", r.name, leaf.Issuer.SHA256)
	}
	if old == nil {
		return
	}
	_, oldTrusted := r.read[old.Issuer.SHA256]
	latest := w.serverTime().Add(max(0, r.offset) + 2*time.Minute)
	if oldTrusted && old.NotAfter.After(latest.Add(r.options.spentMargin())) && held < r.options.Settle {
		w.fail(checkSettled, "%s serves a leaf of %s, trusted for %s, although that of %s was good", r.name, leaf.Issuer.SHA256, held, old.Issuer.SHA256)
	}
}

// checkGate looks at the readiness of a process.
func (w *world) checkGate(r *simReplica) {
	ready := r.Ready() == nil
	if leaf := r.leaf.Load(); r.wasReady && !ready {
		_, current := r.read[r.state.Current.SHA256]
		_, issuer := r.read[leaf.Issuer.SHA256]
		expires := !w.serverTime().Add(r.options.spentMargin() + 2*time.Minute).Before(leaf.NotAfter)
		if !expires && (issuer || !current) {
			w.fail(checkReady, "%s withdraws: %v", r.name, r.Ready())
		}
	}
	r.wasReady = ready
}

// checkHealed looks at the world after it has been left alone.
func (w *world) checkHealed() {
	if w.secret == nil || w.secret.State == nil {
		w.fail(checkHeals, "there is no state")
		return
	}
	live := *w.secret.State
	lately := w.serverTime().Add(-time.Hour)
	if live.Next != nil && live.PreparedAt.Before(lately.Add(-w.replicas[0].options.Overlap)) {
		w.fail(checkHeals, "a rotation is pending: %s", live.Next.SHA256)
	}
	for _, p := range live.Previous {
		if p.RetireAt.Before(lately) {
			w.fail(checkHeals, "%s has not retired", p.SHA256)
		}
	}
	trusted := w.config.trusted()
	for _, c := range live.named() {
		if !trusted[c.SHA256] && !c.expired(w.serverTime()) {
			w.fail(checkHeals, "%s is not trusted", c.SHA256)
		}
	}
	for _, retired := range live.Retired {
		if trusted[retired.SHA256] {
			w.fail(checkHeals, "%s is retired and trusted", retired.SHA256)
		}
	}
	for _, r := range w.replicas {
		if err := r.Ready(); err != nil {
			w.fail(checkHeals, "%s is not ready: %v", r.name, err)
			continue
		}
		if issuer := r.leaf.Load().Issuer.SHA256; issuer != live.Current.SHA256 && live.ActivatedAt.Before(lately) {
			w.fail(checkHeals, "%s serves a leaf of %s, not of %s", r.name, issuer, live.Current.SHA256)
		}
	}
}

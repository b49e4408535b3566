package certs

import (
	"errors"
	"fmt"
	"time"
)

// strandedAfter is for how long clients must have trusted the current CA
// but not the issuer of the leaf before a replica withdraws.
const strandedAfter = time.Minute

// errNotYet is the not-ready text before the first look at the API server.
var errNotYet = errors.New("the certificates have not been looked at yet: wait for the API server to answer")

// gate holds back a replica until clients accept its leaf. Once passed, it
// stays open whatever happens to the published CA: withdrawing every replica at
// once would make an outage out of a short wipe.
type gate struct {
	passed bool
	since  *time.Duration // monotonic; since when stranded
}

// pass opens the gate.
func (g *gate) pass() { g.passed = true }

// stranded notes whether clients trust the current CA but not the leaf's.
func (g *gate) stranded(monotonic time.Duration, stranded bool) {
	switch {
	case !stranded:
		g.since = nil
	case g.since == nil:
		g.since = &monotonic
	}
}

// Ready returns nil while clients can be expected to accept the leaf.
func (r *replica) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaf := r.leaf.Load()
	if !r.gate.passed || leaf == nil {
		if problem := r.health.last(); problem != nil {
			return problem
		}
		return errNotYet
	}
	if now := r.server.now(r.clock).Server; !now.Add(r.options.spentMargin()).Before(leaf.NotAfter) {
		return fmt.Errorf("serving certificate expires at %s and could not be renewed: %w",
			leaf.NotAfter.UTC().Format(time.RFC3339), errors.Join(r.health.last(), errors.New("see the log")))
	}
	if r.gate.since != nil && r.clock.monotonic()-*r.gate.since >= strandedAfter {
		return fmt.Errorf("%s holds the CA in Secret %s/%s but not the issuer of this replica's certificate: see the log for why it signs no new one",
			r.options.words().object, r.options.Namespace, r.options.Secret)
	}
	return nil
}

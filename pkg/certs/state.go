package certs

import (
	"encoding/json"
	"slices"
	"time"
)

// State is what all replicas share. It lives in one Secret. A State is a
// value: a step makes a new one and leaves the old one as it was.
type State struct {
	// Epoch is raised by every step. Of two states the higher one is newer.
	Epoch int64
	// Current signs leaves.
	Current Authority
	// Next will sign leaves once it has been trusted for the settle time; nil
	// outside of a rotation.
	Next *Authority
	// Previous signed leaves that may still be served.
	Previous []Previous
	// Retired must not be trusted any more. An entry goes once the
	// certificate has expired.
	Retired []Retired
	// LeafLife is the longest life that a replica may give a leaf. Releases
	// with different lives agree through it.
	LeafLife time.Duration
	// Rotate and Revoke are the values of the annotations that have been
	// acted on.
	Rotate, Revoke string
	// PreparedAt says when Next was made: the overlap counts from there.
	// ActivatedAt says when Current began to sign, for people.
	PreparedAt, ActivatedAt time.Time

	// unknown holds what a newer release has written beside.
	unknown map[string]json.RawMessage
}

// Previous is a CA that has been replaced.
type Previous struct {
	Certificate
	// RetireAt is the earliest time at which it may leave the bundle.
	RetireAt time.Time
}

// Retired names a CA that has left the bundle.
type Retired struct {
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"notAfter"`
}

// empty tells whether there is no state at all.
func (s State) empty() bool { return s.Current.SHA256 == "" }

// named returns the certificates that must be trusted: the current one first,
// then the next, then the previous ones.
func (s State) named() []Certificate {
	out := []Certificate{s.Current.Certificate}
	if s.Next != nil {
		out = append(out, s.Next.Certificate)
	}
	for _, p := range s.Previous {
		out = append(out, p.Certificate)
	}
	return out
}

// names tells whether the state names the certificate as one to trust.
func (s State) names(sha256 string) bool {
	return slices.ContainsFunc(s.named(), func(c Certificate) bool { return c.SHA256 == sha256 })
}

// retired tells whether the state names the certificate as one not to trust.
func (s State) retired(sha256 string) bool {
	return slices.ContainsFunc(s.Retired, func(r Retired) bool { return r.SHA256 == sha256 })
}

// retiresBefore tells whether the state may stop trusting a certificate before
// the given time.
func (s State) retiresBefore(sha256 string, until time.Time) bool {
	for _, p := range s.Previous {
		if p.SHA256 == sha256 {
			return p.RetireAt.Before(until)
		}
	}
	return !s.names(sha256) && !s.retired(sha256)
}

// retire takes certificates out of the previous ones and lists them as
// retired. Entries that have expired go.
func (s State) retire(now time.Time, certificates ...Certificate) State {
	s.Retired = slices.DeleteFunc(slices.Clone(s.Retired), func(r Retired) bool { return r.NotAfter.Before(now) })
	s.Previous = slices.Clone(s.Previous)
	for _, c := range certificates {
		s.Previous = slices.DeleteFunc(s.Previous, func(p Previous) bool { return p.SHA256 == c.SHA256 })
		if !s.retired(c.SHA256) {
			s.Retired = append(s.Retired, Retired{SHA256: c.SHA256, NotAfter: c.NotAfter})
		}
	}
	return s
}

// keep lists a certificate as previous until the given time at least, unless
// it is in use or retired.
func (s State) keep(c Certificate, retireAt time.Time) State {
	for i, p := range s.Previous {
		if p.SHA256 == c.SHA256 {
			s.Previous = slices.Clone(s.Previous)
			s.Previous[i].RetireAt = latest(p.RetireAt, retireAt)
			return s
		}
	}
	if s.names(c.SHA256) || s.retired(c.SHA256) {
		return s
	}
	s.Previous = append(slices.Clone(s.Previous), Previous{Certificate: c, RetireAt: retireAt})
	return s
}

package certs

import (
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// trust counts for how long each certificate has been in the live bundle of
// every entry of the configuration, on a monotonic clock. The count of a
// certificate starts again when a version of the configuration without it was
// seen, and when a version may have been missed: every change of an entry
// raises the object's generation by one, so a gap shows. In an object without
// generations no gap shows, so every new version starts all counts again.
type trust struct {
	uid        string
	version    string
	generation int64
	since      map[string]time.Duration
	at         time.Duration   // when the last reading of the API server began
	ever       map[string]bool // what has been in the caBundle once
}

// read takes an answer of the API server into account. What it holds was
// there when the call began at the earliest, and is counted from its end.
func (t *trust) read(began, ended time.Duration, c configuration) {
	if t.look(ended, c) {
		t.at = began
	}
}

// look takes a version of the configuration into account and tells whether it
// did. Versions older than the last one, as a watch delivers them, are left
// out. A watch may be late: what it shows ends counts but completes none.
func (t *trust) look(now time.Duration, c configuration) bool {
	same := c.UID == t.uid
	if same && t.isNewerThan(c) {
		return false
	}
	unbroken := same && (c.Version == t.version || c.Generation > 0 && c.Generation <= t.generation+1)
	since := map[string]time.Duration{}
	if t.ever == nil {
		t.ever = map[string]bool{}
	}
	for sha := range c.trusted() {
		since[sha] = now
		t.ever[sha] = true
		if before, ok := t.since[sha]; ok && unbroken {
			since[sha] = before
		}
	}
	t.uid, t.version, t.generation, t.since = c.UID, c.Version, c.Generation, since
	return true
}

// isNewerThan tells whether the last version came after one of the same object.
func (t *trust) isNewerThan(c configuration) bool {
	if c.Generation > 0 {
		return c.Generation < t.generation
	}
	order, err := resourceversion.CompareResourceVersion(c.Version, t.version)
	return err == nil && order < 0
}

// holds tells whether the certificate was in the last version.
func (t *trust) holds(sha256 string) bool {
	_, ok := t.since[sha256]
	return ok
}

// held returns the counts, up to the last reading.
func (t *trust) held() map[string]time.Duration {
	held := maps.Clone(t.since)
	for sha, since := range held {
		held[sha] = max(0, t.at-since)
	}
	return held
}

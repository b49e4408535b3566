package certs

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// publish puts what the state names where clients look for it. The Secret is read
// once more before the write: between the two readings of this pass another
// replica may have retired a CA and have taken it out of the bundle.
func (r *replica) publish(ctx context.Context, read secret, c configuration) (configuration, error) {
	merged, changed, missing, crowded := r.mergeAll(c)
	if !changed {
		return c, nil
	}
	restoring := r.restoring(c, missing)
	if wait := r.restores.wait(r.clock.monotonic()); restoring && wait > 0 {
		r.wake = wait
		return c, nil
	}
	again, err := r.readSecret(ctx)
	if err != nil {
		return c, err
	}
	if again.Version != read.Version {
		return c, errAgain
	}
	began := r.clock.monotonic()
	written, err := r.store.applyBundles(ctx, merged)
	if err != nil {
		return c, againOnConflict(err)
	}
	r.count(began, written)
	r.reportPublished(c, restoring, crowded)
	return written, nil
}

// mergeAll merges the state into the bundle of every entry.
func (r *replica) mergeAll(c configuration) (merged configuration, changed bool, missing, crowded []Certificate) {
	now := r.now()
	merged = c
	merged.Entries = nil
	for _, e := range c.Entries {
		m := r.merge(now, e.Bundle, r.state)
		e.Bundle = m.Bundle
		merged.Entries = append(merged.Entries, e)
		changed = changed || m.Changed
		missing = append(missing, m.Missing...)
		crowded = append(crowded, m.Crowded...)
	}
	return merged, changed, missing, crowded
}

// restoring tells whether a write puts back what somebody has taken out, or
// takes out what somebody has put in that is no certificate.
func (r *replica) restoring(c configuration, missing []Certificate) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, certificate := range missing {
		if r.trust.ever[certificate.SHA256] {
			return true
		}
	}
	return slices.ContainsFunc(c.Entries, func(e entry) bool { return e.Bundle.Unclean })
}

// tellForeign tells of certificates in discovery's ConfigMap that discovery did
// not make. They stay, as a replica that has lost its memory cannot tell them from
// another's; but nobody else has business there, and sidecars trust what they find.
func (r *replica) tellForeign(c configuration) {
	if r.options.Kind != Discovery {
		return // the caBundle may have other owners
	}
	var found []string
	for _, e := range c.Entries {
		for _, certificate := range e.Bundle.Certificates {
			if !r.state.names(certificate.SHA256) {
				found = append(found, certificate.SHA256)
			}
		}
	}
	before := r.foreign
	if r.foreign = strings.Join(found, ", "); r.foreign == "" || r.foreign == before {
		return
	}
	w := r.options.words()
	r.report.Log.Info("foreign certificates are published: new sidecars trust them too", "object", w.object, "sha256", found)
	r.report.warn(w.reason+"Foreign", fmt.Sprintf(
		"%s of %s holds %d certificates that discovery did not make, and sidecars that are injected now trust them too: "+
			"find who wrote them, then empty the key, which is written again without them", w.field, w.object, len(found)))
}

// reportPublished tells people about a write of the bundles.
func (r *replica) reportPublished(before configuration, restoring bool, crowded []Certificate) {
	w := r.options.words()
	r.report.Log.Info(w.field+" written", "object", w.object, "restored", restoring)
	if len(crowded) > 0 {
		r.report.warn(w.reason+"Full", fmt.Sprintf(
			"%s of %s holds more than %d certificates: %d foreign ones that expire first went; remove what is not needed",
			w.field, w.object, MaxBundle, len(crowded)))
	}
	if !restoring {
		return
	}
	r.report.Metrics.restored.Inc()
	if r.restores.record(r.clock.monotonic()) {
		r.report.warn(w.reason+"Fought", fmt.Sprintf("%s of %s was taken away more than %d times in %s, by %s: %s",
			w.field, w.object, restoresFree, restoresWindow, suspects(before.managers), w.fought))
	}
}

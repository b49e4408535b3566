package certs

import (
	"context"
	"fmt"
	"slices"
)

// publish puts what the state names into the live caBundle. The Secret is read
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

// reportPublished tells people about a write of the caBundle.
func (r *replica) reportPublished(before configuration, restoring bool, crowded []Certificate) {
	r.report.Log.Info("caBundle written", "configuration", r.options.Configuration, "restored", restoring)
	if len(crowded) > 0 {
		r.report.warn("CABundleFull", fmt.Sprintf(
			"caBundle of MutatingWebhookConfiguration %s holds more than %d certificates: %d foreign ones that expire first went; remove what is not needed",
			r.options.Configuration, maxBundle, len(crowded)))
	}
	if !restoring {
		return
	}
	r.report.Metrics.restored.Inc()
	if r.restores.record(r.clock.monotonic()) {
		r.report.warn("CABundleFought", fmt.Sprintf(
			"caBundle of MutatingWebhookConfiguration %s was taken away more than %d times in %s, by %s: leave the field clientConfig.caBundle alone "+
				"(kubectl apply instead of kubectl replace; Argo CD: ignoreDifferences and no Replace=true; Flux: no force)",
			r.options.Configuration, restoresFree, restoresWindow, suspects(before.managers)))
	}
}

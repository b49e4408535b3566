package certs

import "sync"

// health remembers what is wrong with a source and reports changes: a metric,
// a log line and an Event for each new problem, a log line for its end.
type health struct {
	report Report
	reason string // of the Events

	mu      sync.Mutex
	problem error
}

// note takes the outcome of a look at the source.
func (h *health) note(problem error) {
	h.mu.Lock()
	before := h.problem
	h.problem = problem
	h.mu.Unlock()

	h.report.Metrics.setHealthy(problem == nil)
	switch {
	case problem == nil && before != nil:
		h.report.Log.Info("certificate source is in order again")
	case problem != nil && (before == nil || before.Error() != problem.Error()):
		h.report.Log.Error(problem, "certificate source is not in order")
		h.report.warn(h.reason, problem.Error())
	}
}

// last returns what the last look found.
func (h *health) last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problem
}

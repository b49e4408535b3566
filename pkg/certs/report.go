package certs

import "github.com/go-logr/logr"

// Report is where a source tells people what happens to it. Nothing secret
// passes through it: certificates appear by subject, serial or SHA-256, keys
// never.
type Report struct {
	// Log takes one line for each change for the better or the worse.
	Log logr.Logger
	// Metrics must come from NewMetrics.
	Metrics *Metrics
	// Events may be nil: then there are none.
	Events Events
}

// Events takes the news that an operator should find with `kubectl get events`.
// An implementation must not block: it is called from the loop that keeps the
// certificate current.
type Events interface {
	// Warn records a warning. The reason is one CamelCase word; the message
	// says what is wrong, where, and the remedy.
	Warn(reason, message string)
}

// warn records an Event when somebody takes them.
func (r Report) warn(reason, message string) {
	if r.Events != nil {
		r.Events.Warn(reason, message)
	}
}

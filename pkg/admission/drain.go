package admission

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

/*
Drain ends a server without losing a request. A server that closes its listener
at once loses those that are on their way to it: endpoints are taken out of a
Service only after the Pod is seen to be ending, and a client may write on a
kept connection in the moment in which it is closed.

So for some seconds after the signal nothing ends: the readiness check fails,
the listener stays open, and every answer tells its client to close the
connection and make a new one, which by then leads to another replica.
*/
type Drain struct{ draining atomic.Bool }

// DefaultDrain is how long a server drains.
const DefaultDrain = 10 * time.Second

// Context returns a context that ends a time after ctx does, and begins the
// drain when ctx ends. The cancel function ends it at once.
func (d *Drain) Context(ctx context.Context, duration time.Duration) (context.Context, context.CancelFunc) {
	drained, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		d.draining.Store(true)
		timer := time.NewTimer(duration)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-drained.Done():
		}
	})
	return drained, func() {
		stop()
		cancel()
	}
}

// Check is a readiness check: it fails from the beginning of the drain.
func (d *Drain) Check(*http.Request) error {
	if d.draining.Load() {
		return errors.New("draining: the process was told to end")
	}
	return nil
}

// Handler makes every answer of next close its connection during the drain.
func (d *Drain) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

package admission

import (
	"context"
	"time"
)

const (
	// DefaultConcurrent is how many reviews are worked on at once.
	DefaultConcurrent = 64
	// DefaultWait is how long a review waits for its turn. The API server
	// waits two seconds for the whole answer.
	DefaultWait = 1500 * time.Millisecond
)

// Limit bounds how many reviews are worked on at once, and with it the memory
// that bodies take.
type Limit struct {
	turns chan struct{}
	wait  time.Duration
}

// NewLimit returns a limit of so many reviews, beyond which a review waits for
// its turn for at most the given time.
func NewLimit(concurrent int, wait time.Duration) *Limit {
	return &Limit{turns: make(chan struct{}, concurrent), wait: wait}
}

// acquire waits for a turn and returns the function that ends it. It returns
// false when the wait was too long. The end of ctx does not cut the wait short:
// a server's context ends while its last answers are still wanted.
func (l *Limit) acquire(ctx context.Context) (release func(), ok bool) {
	select {
	case l.turns <- struct{}{}:
		return l.release, true
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.wait)
	defer cancel()
	select {
	case l.turns <- struct{}{}:
		return l.release, true
	case <-ctx.Done():
		return nil, false
	}
}

func (l *Limit) release() { <-l.turns }

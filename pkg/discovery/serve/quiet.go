package serve

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
)

const (
	// quietFor is how long nothing more is logged of a kind of which something was.
	quietFor = time.Minute
	// maxQuoted is how much of a client's own words a line holds, in bytes.
	maxQuoted = 300
)

// quiet is a log that clients cannot flood: of each kind it writes one line a
// minute, which says how many there were since the last.
type quiet struct {
	log logr.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*kept
}

// kept is what was not written of a kind.
type kept struct {
	last   time.Time
	silent int
}

func newQuiet(log logr.Logger, now func() time.Time) *quiet {
	return &quiet{log: log, now: now, kinds: map[string]*kept{}}
}

// Info writes a line of a kind, unless one was written lately. The kinds must be
// of a closed set.
func (q *quiet) Info(kind, message string, keysAndValues ...any) {
	now := q.now()
	q.mu.Lock()
	k := q.kinds[kind]
	if k == nil {
		k = &kept{}
		q.kinds[kind] = k
	}
	if !k.last.IsZero() && now.Sub(k.last) < quietFor {
		k.silent++
		q.mu.Unlock()
		return
	}
	silent := k.silent
	k.last, k.silent = now, 0
	q.mu.Unlock()
	q.log.Info(message, append(keysAndValues, "alikeSinceLastLine", silent)...)
}

// shortened is the beginning of what a client wrote.
func shortened(text string) string {
	if len(text) > maxQuoted {
		return text[:maxQuoted] + "..."
	}
	return text
}

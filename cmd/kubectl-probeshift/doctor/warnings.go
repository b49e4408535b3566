package doctor

import (
	"context"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// warnings notes whether the webhook warned. It may be used by several
// goroutines at once.
type warnings struct {
	mu   sync.Mutex
	seen bool
}

var _ rest.WarningHandlerWithContext = (*warnings)(nil)

// HandleWarningHeaderWithContext looks at one warning; ours begin with the
// project's name.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = w.seen || strings.HasPrefix(text, "probeshift:")
}

func (w *warnings) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = false
}

func (w *warnings) ours() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

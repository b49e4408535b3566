package apiserver

import "sync"

// tailSize is how much of a program's output an error shows, in bytes.
const tailSize = 4 << 10

// Tail keeps the end of what a program prints, for the error that tells of its
// failure. It may be used by several goroutines at once; its zero value is
// ready.
type Tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write keeps the last tailSize bytes.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// ended is the reason of a failure of a request whose connection ended under
// it, as the sidecar puts it. It had been written to that connection.
const ended = "Unavailable connection termination"

// begun are the numbers of the requests that the servers began, of all that
// were there when following them began.
type begun struct {
	command *exec.Cmd
	end     context.CancelFunc
	read    chan struct{}

	mu      sync.Mutex
	numbers map[string]bool
}

// followBegun reads the logs of the servers until they end, and is called
// before something happens to them.
func followBegun(ctx context.Context) (*begun, error) {
	ctx, end := context.WithCancel(ctx)
	b := &begun{end: end, read: make(chan struct{}), numbers: map[string]bool{}}
	b.command = exec.CommandContext(ctx, "kubectl", "-n", namespace, "logs", "--follow", "--selector=app=greeter", "--container=server",
		"--since=1s", "--ignore-errors", "--max-log-requests=50")
	said, err := b.command.StdoutPipe()
	if err != nil {
		end()
		return nil, err
	}
	if err := b.command.Start(); err != nil {
		end()
		return nil, fmt.Errorf("kubectl logs: %w", err)
	}
	go func() {
		defer close(b.read)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			b.mu.Lock()
			b.numbers[lines.Text()] = true
			b.mu.Unlock()
		}
	}()
	const first = 30 * time.Second
	if _, err := until(ctx, first, func() bool { return b.count() > 0 }); err != nil {
		b.stop()
		return nil, fmt.Errorf("the servers do not say what they begin: %w", err)
	}
	return b, nil
}

// count is how many are known so far.
func (b *begun) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.numbers)
}

// stop reads no more.
func (b *begun) stop() {
	b.end()
	<-b.read
	b.command.Wait() //nolint:errcheck // it was told to end
}

// withoutLastLine is how many of these servers, which ended, have not said so:
// what they said may not have been read to its end.
func (b *begun) withoutLastLine(servers []string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	silent := 0
	for _, name := range servers {
		if !b.numbers[lastLine+name] {
			silent++
		}
	}
	return silent
}

// fates are what became of the requests that failed.
type fates struct {
	// carried were begun by a server that ended before it answered. They may have
	// been carried out, so nobody may send them again.
	carried int
	// late were written to a connection of a server that was ending and began
	// nothing any more. Its kernel took them as it took the others, so the sidecar
	// cannot tell them from those.
	late int
	// other failed for another reason.
	other int
	// silent is how many servers ended whose log was not read to its end.
	silent int
}

// met says that nothing failed but what was in flight, as far as every server
// that ended can tell.
func (f fates) met() bool { return f.other == 0 && f.silent == 0 }

// of sorts what failed by what the servers say.
func (b *begun) of(seen windows) fates {
	b.mu.Lock()
	defer b.mu.Unlock()
	var f fates
	for i := range seen {
		for why, n := range seen[i].Failures {
			if why != ended {
				f.other += n
			}
		}
		for _, one := range seen[i].Failed[ended] {
			if b.numbers[one.Number] {
				f.carried++
			} else {
				f.late++
			}
		}
	}
	return f
}

// text is for a cell of the table, empty when nothing failed.
func (f fates) text() string {
	var text string
	if f.carried+f.late+f.other > 0 {
		text = fmt.Sprintf("; in flight on a server that ended: %d begun by it, %d not begun; otherwise: %d", f.carried, f.late, f.other)
	}
	if f.silent > 0 {
		text += fmt.Sprintf("; %d servers ended without their last line", f.silent)
	}
	return text
}

package installed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/probeshift/probeshift/cmd/webhook/server"
)

const (
	// asCommand is the environment variable that makes the test binary be the
	// command of cmd/webhook.
	asCommand = "PROBESHIFT_TEST_AS_COMMAND"
	// shownLog is how much of a process's log a failure shows, in bytes.
	shownLog = 6 << 10
)

// Main is the TestMain of a package that starts processes.
func Main(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := server.NewCommand(os.Getenv).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

// Process is a running process of the command.
type Process struct {
	command *exec.Cmd
	mu      sync.Mutex
	written bytes.Buffer
}

// Start starts a process. What still runs when the test ends is killed, and if
// the test has failed the end of its log is shown.
func Start(t *testing.T, flags, environment []string) *Process {
	t.Helper()
	p := &Process{command: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], flags...)}
	p.command.Env = append(slices.Concat(os.Environ(), environment), asCommand+"=1")
	p.command.Stdout, p.command.Stderr = p, p
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.command.ProcessState == nil {
			_ = p.command.Process.Kill() // the test has failed before
			_ = p.command.Wait()
		}
		if t.Failed() {
			t.Logf("webhook %s\n...%s", strings.Join(flags, " "), p.last())
		}
	})
	return p
}

// Stop ends the process by SIGTERM, which must be with status 0.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	began := time.Now()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Fatalf("the process did not end well: %v", err)
	}
	t.Logf("it has ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
}

// Write takes what the process writes.
func (p *Process) Write(content []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.Write(content)
}

// Said is how often the process has written some words.
func (p *Process) Said(words string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(p.written.String(), words)
}

func (p *Process) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.written.Bytes()
	return string(all[max(0, len(all)-shownLog):])
}

// FreeAddress returns an address of loopback that nobody listens at.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// Get asks a process, and returns whether the status is 200, and the answer.
func Get(ctx context.Context, url string) (ok bool, answer string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err.Error()
	}
	return response.StatusCode == http.StatusOK, string(text)
}

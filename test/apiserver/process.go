package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
)

// endTimeout is how long kube-apiserver may take to end, readyTimeout how long
// until it is ready again; both on a machine that is busy.
const (
	endTimeout   = time.Minute
	readyTimeout = 2 * time.Minute
)

// Process is kube-apiserver as a process of Linux, which can end and begin again.
type Process struct {
	// Arguments are those that it was started with, the program first.
	Arguments []string
	pid       int
	// again is what runs since it was started again; nil before.
	again *exec.Cmd
}

// Process finds the process of a Server that this program has started. There must
// be no other.
func (s *Server) Process() (*Process, error) {
	const name = "kube-apiserver"
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		_, after, found := strings.Cut(string(stat), " ("+name+") ")
		if fields := strings.Fields(after); !found || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil {
			return nil, err
		}
		p := &Process{Arguments: strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")}
		p.pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		return p, err
	}
	return nil, fmt.Errorf("%s is not among the child processes in /proc", name)
}

// Signal sends a signal to it.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := syscall.Kill(p.pid, signal); err != nil {
		return fmt.Errorf("sending %s to the API server: %w", signal, err)
	}
	return nil
}

// End ends it by a signal. etcd goes on.
func (p *Process) End(ctx context.Context, signal syscall.Signal) error {
	if err := p.Signal(signal); err != nil {
		return err
	}
	if p.again != nil {
		p.wait()
		return nil
	}
	// The first one is waited for by who started it.
	return eventually(ctx, endTimeout, "the API server has ended", func() bool {
		return errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH)
	})
}

// Again starts it once more after it has ended, at the same address and with the
// same etcd, and returns when it is ready for a client. What it prints goes to
// output. It ends with ctx.
func (p *Process) Again(ctx context.Context, client kubernetes.Interface, output io.Writer) error {
	p.again = exec.CommandContext(ctx, p.Arguments[0], p.Arguments[1:]...)
	p.again.Stdout, p.again.Stderr = output, output
	if err := p.again.Start(); err != nil {
		return fmt.Errorf("starting the API server again: %w", err)
	}
	p.pid = p.again.Process.Pid
	return eventually(ctx, readyTimeout, "the API server is ready again", func() bool {
		return client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
}

// Stop ends what was started again; what a Server started is the Server's to stop.
func (p *Process) Stop() error {
	if p.again == nil {
		return nil
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	p.wait()
	return nil
}

// wait waits for what was started again.
func (p *Process) wait() {
	p.again.Wait() //nolint:errcheck // how it ended does not matter, only that
	p.again = nil
}

// eventually waits until a condition holds.
func eventually(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	const step = 20 * time.Millisecond
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			return fmt.Errorf("not after %s: %s", limit, what)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while waiting: %s", what)
		case <-time.After(step):
		}
	}
	return nil
}

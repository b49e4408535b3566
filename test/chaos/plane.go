package main

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
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
)

// stopTimeout is how long a program may take to end after SIGTERM, startTimeout
// how long until it serves.
const (
	stopTimeout  = time.Minute
	startTimeout = 2 * time.Minute
)

// plane is an API server that can be restarted.
type plane struct {
	server *apiserver.Server
	config *rest.Config
	client kubernetes.Interface
	output io.Writer
	// arguments start the API server once more; process is what runs since the
	// first restart.
	arguments []string
	pid       int
	process   *exec.Cmd
}

// newPlane starts an API server whose output goes to output.
func newPlane(output io.Writer) (*plane, error) {
	server, err := apiserver.Start(apiserver.Options{Output: output, Flags: map[string][]string{
		// Without it an API server that is told to end waits a minute for the
		// watches that are open.
		"shutdown-watch-termination-grace-period": {"1s"},
	}})
	if err != nil {
		return nil, err
	}
	p := &plane{server: server, config: rest.CopyConfig(server.Config), output: output}
	p.config.QPS = -1 // no limit of the client's own
	p.config.WarningHandler = rest.NoWarnings{}
	if p.client, err = kubernetes.NewForConfig(p.config); err == nil {
		p.pid, p.arguments, err = child("kube-apiserver")
	}
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return p, nil
}

// child finds the one child process with that program name and its arguments.
func child(name string) (pid int, arguments []string, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, nil, err
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
			return 0, nil, err
		}
		if pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil {
			return 0, nil, err
		}
		return pid, strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00"), nil
	}
	return 0, nil, fmt.Errorf("%s is not among the child processes in /proc", name)
}

// restart ends the API server as an upgrade does and starts it again at the
// same address, with the same etcd. It returns when the API server is ready.
func (p *plane) restart(ctx context.Context) error {
	if err := p.end(); err != nil {
		return err
	}
	p.process = exec.CommandContext(ctx, p.arguments[0], p.arguments[1:]...)
	p.process.Stdout, p.process.Stderr = p.output, p.output
	if err := p.process.Start(); err != nil {
		return fmt.Errorf("start the API server again: %w", err)
	}
	p.pid = p.process.Process.Pid
	return eventually(ctx, "the API server is ready again", func() bool {
		return p.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
}

// end ends the API server that runs now.
func (p *plane) end() error {
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the API server: %w", err)
	}
	if p.process != nil {
		p.process.Wait() //nolint:errcheck // how it ended does not matter, only that
		return nil
	}
	// The first one is waited for by who started it.
	for deadline := time.Now().Add(stopTimeout); ; time.Sleep(10 * time.Millisecond) {
		if errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the API server still runs %s after SIGTERM", stopTimeout)
		}
	}
}

// stop ends everything.
func (p *plane) stop() error {
	var err error
	if p.process != nil {
		err = p.end()
	}
	return errors.Join(err, p.server.Stop())
}

// eventually waits until the condition holds.
func eventually(ctx context.Context, what string, condition func() bool) error {
	deadline := time.Now().Add(startTimeout)
	for !condition() {
		if time.Now().After(deadline) {
			return fmt.Errorf("not after %s: %s", startTimeout, what)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while waiting: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

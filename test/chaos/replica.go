package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// drain is how long a replica goes on serving after SIGTERM: longer than the
// forwarder needs to see it, as the default of 10 s is longer than a node needs.
const drain = 3 * time.Second

// Times that let a whole rotation, which takes a week by default, pass in
// seconds. Leaves that live for so short a time are for the rotations alone: an
// API server that is away for as long would find them expired.
const (
	settle        = 2 * time.Second
	shortLeafLife = 15 * time.Second
	longLeafLife  = time.Hour
	retireMargin  = time.Second
)

// replica is one process of the webhook.
type replica struct {
	name    string
	command *exec.Cmd
	log     *os.File
	backend *backend
	// ended is closed once it has ended, with problem.
	ended   chan struct{}
	problem error
}

// startReplica starts a process with the rights of a kubeconfig. It is not
// ready yet.
func (s *scene) startReplica(ctx context.Context) (*replica, error) {
	s.started++
	r := &replica{name: fmt.Sprintf("webhook-%02d", s.started), ended: make(chan struct{})}
	ports, err := freePorts(ctx)
	if err != nil {
		return nil, err
	}
	if r.log, err = os.Create(filepath.Join(s.logs, r.name+".log")); err != nil {
		return nil, err
	}
	r.command = exec.CommandContext(ctx, s.options.webhook,
		"--certs=self", "--kubeconfig", s.kubeconfig,
		"--bind-address=127.0.0.1", "--port", ports[0], "--metrics-bind-address=0",
		"--health-probe-bind-address", net.JoinHostPort("127.0.0.1", ports[1]),
		"--drain-duration", drain.String(), "--settle-time", settle.String(), "--leaf-life", s.leafLife.String(),
		"--retire-margin", retireMargin.String())
	r.command.Stdout, r.command.Stderr = r.log, r.log
	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("start the webhook, which make build leaves in bin: %w", err)
	}
	go func() {
		r.problem = r.command.Wait()
		r.log.Close() //nolint:errcheck // what it holds was written by another process
		close(r.ended)
	}()
	r.backend = s.forwarder.add(ctx, net.JoinHostPort("127.0.0.1", ports[0]), "http://"+net.JoinHostPort("127.0.0.1", ports[1])+"/readyz")
	s.replicas = append(s.replicas, r)
	return r, nil
}

// freePorts returns two ports of 127.0.0.1 that nobody uses.
func freePorts(ctx context.Context) (ports [2]string, err error) {
	var config net.ListenConfig
	var listeners [len(ports)]net.Listener
	for i := range ports {
		if listeners[i], err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return ports, err
		}
		if _, ports[i], err = net.SplitHostPort(listeners[i].Addr().String()); err != nil {
			return ports, err
		}
	}
	for _, listener := range listeners {
		listener.Close()
	}
	return ports, nil
}

// waitReady waits until connections go to a replica.
func (s *scene) waitReady(ctx context.Context, r *replica) error {
	err := eventually(ctx, r.name+" is ready", func() bool { return r.hasEnded() || s.forwarder.isIn(r.backend) })
	if err == nil && r.hasEnded() {
		return fmt.Errorf("%s ended instead of serving: %w", r.name, r.problem)
	}
	return err
}

// hasEnded tells whether the process is gone.
func (r *replica) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// stop ends a replica by SIGTERM and waits for it. It returns an error when it
// did not end well.
func (s *scene) stop(r *replica) error {
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", r.name, err)
	}
	select {
	case <-r.ended:
	case <-time.After(stopTimeout):
		return fmt.Errorf("%s still runs %s after SIGTERM", r.name, stopTimeout)
	}
	s.forget(r)
	if r.problem != nil {
		return fmt.Errorf("%s ended with: %w", r.name, r.problem)
	}
	return nil
}

// kill ends a replica by SIGKILL.
func (s *scene) kill(r *replica) error {
	if err := r.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", r.name, err)
	}
	<-r.ended
	return nil
}

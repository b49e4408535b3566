package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	server  *apiserver.Server
	config  *rest.Config
	client  kubernetes.Interface
	output  io.Writer
	process *apiserver.Process
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
		p.process, err = server.Process()
	}
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return p, nil
}

// restart ends the API server as an upgrade does and starts it again at the
// same address, with the same etcd. It returns when the API server is ready.
func (p *plane) restart(ctx context.Context) error {
	if err := p.process.End(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	return p.process.Again(ctx, p.client, p.output)
}

// stop ends everything.
func (p *plane) stop() error { return errors.Join(p.process.Stop(), p.server.Stop()) }

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

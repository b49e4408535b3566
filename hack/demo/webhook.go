package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"
)

const (
	host = "127.0.0.1"
	// readyLimit is how long the webhook may take to be ready, stopLimit to end.
	readyLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
	// logLines is how much of the webhook's log an error shows.
	logLines = 10
)

// webhook is the running binary.
type webhook struct {
	url      string
	caBundle []byte

	log     string // the file that holds what the binary prints
	command *exec.Cmd
	// ended is closed when the process has ended, with err as its result.
	ended chan struct{}
	err   error
}

// startWebhook starts the binary with a throw-away certificate and returns when
// it is ready. It needs neither a kubeconfig nor a cluster.
func startWebhook(ctx context.Context, binary, dir string) (*webhook, error) {
	caBundle, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	healthPort, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	health := net.JoinHostPort(host, healthPort)
	w := &webhook{
		url:      "https://" + net.JoinHostPort(host, port),
		caBundle: caBundle,
		log:      filepath.Join(dir, "webhook.log"),
		ended:    make(chan struct{}),
		command: exec.Command(binary, //nolint:noctx // it is ended by a signal, to see that it ends well
			"--certs=files", "--cert-dir="+dir,
			"--bind-address="+host, "--port="+port,
			"--health-probe-bind-address="+health, "--metrics-bind-address=0",
			"--drain-duration=0s"),
	}
	if err := w.run(); err != nil {
		return nil, err
	}
	if err := w.waitReady(ctx, "http://"+health+"/readyz"); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

// writeCertificate writes tls.crt and tls.key to dir and returns what the API
// server trusts.
func writeCertificate(dir string) (caBundle []byte, err error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the webhook: %w", err)
	}
	return certificate, errors.Join(
		os.WriteFile(filepath.Join(dir, "tls.crt"), certificate, 0o600),
		os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
}

// freePort returns a port that nobody listens on. The kernel gives another one
// at each call.
func freePort(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// run starts the process. Its log goes to a file.
func (w *webhook) run() error {
	log, err := os.Create(w.log)
	if err != nil {
		return fmt.Errorf("making a file for the webhook's log: %w", err)
	}
	w.command.Stdout, w.command.Stderr = log, log
	// In a process group of its own Ctrl-C does not reach it before the demo.
	w.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := w.command.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting the webhook (make build builds it): %w", err), log.Close())
	}
	go func() {
		w.err = errors.Join(w.command.Wait(), log.Close())
		close(w.ended)
	}()
	return nil
}

// waitReady returns when the webhook says that it is ready.
func (w *webhook) waitReady(ctx context.Context, url string) error {
	err := wait.PollUntilContextTimeout(ctx, pollEvery, readyLimit, true, func(ctx context.Context) (bool, error) {
		select {
		case <-w.ended:
			return false, errors.New("it ended by itself")
		default:
			return isOK(ctx, url), nil
		}
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("waiting for the webhook to be ready: %w; the end of its log:\n%s", err, w.lastLog())
	}
	return err
}

// isOK says whether a URL answers with status 200.
func isOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// lastLog is the end of the webhook's log.
func (w *webhook) lastLog() string {
	text, err := os.ReadFile(w.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-logLines):], []byte("\n")))
}

// stop ends the webhook as a kubelet does, and tells when it does not end well.
func (w *webhook) stop() error {
	_ = w.command.Process.Signal(syscall.SIGTERM) // it fails when the process has ended
	select {
	case <-w.ended:
		if w.err != nil {
			return fmt.Errorf("the webhook did not end well: %w", w.err)
		}
		return nil
	case <-time.After(stopLimit):
		_ = w.command.Process.Kill()
		<-w.ended
		return fmt.Errorf("the webhook did not end within %s of SIGTERM and was killed", stopLimit)
	}
}

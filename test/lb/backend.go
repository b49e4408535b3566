package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// backend is a process that stands for a Pod of the server.
type backend struct {
	address netip.Addr
	process *exec.Cmd
	orders  io.Writer
	ended   chan struct{}
}

// start starts n more backends, each at the next address, and waits until they
// listen. DNS does not know of them yet.
func (b *bed) start(ctx context.Context, n int, args ...string) ([]*backend, error) {
	var started []*backend
	for range n {
		address := firstBackends
		if len(b.backends) > 0 {
			address = b.backends[len(b.backends)-1].address.Next()
		}
		be, err := startAt(ctx, address, args...)
		if err != nil {
			return nil, err
		}
		b.backends = append(b.backends, be)
		started = append(started, be)
	}
	return started, nil
}

// startAt starts a backend at an address that is new to the bed.
func startAt(ctx context.Context, address netip.Addr, args ...string) (*backend, error) {
	if err := ip(ctx, "addr", "add", fmt.Sprintf("%s/%d", address, address.BitLen()), "dev", "lo"); err != nil {
		return nil, err
	}
	return startBackend(ctx, address, args...)
}

// startBackend runs this program as a backend.
func startBackend(ctx context.Context, address netip.Addr, args ...string) (*backend, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	be := &backend{address: address, ended: make(chan struct{})}
	be.process = exec.CommandContext(ctx, self, append([]string{backendCommand, "--address", address.String()}, args...)...)
	be.process.Stderr = os.Stderr
	be.process.Env = append(os.Environ(), "GOMAXPROCS=1")
	if be.orders, err = be.process.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := be.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := be.process.Start(); err != nil {
		return nil, fmt.Errorf("starting a backend: %w", err)
	}
	if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("a backend does not get ready: %w", err)
	}
	go func() {
		be.process.Wait() //nolint:errcheck // it is killed more often than not
		close(be.ended)
	}()
	return be, nil
}

// name is how a backend names itself in its answers.
func (be *backend) name() string { return be.address.String() }

// port is one of its addresses.
func (be *backend) port(port int) string {
	return netip.AddrPortFrom(be.address, uint16(port)).String() //nolint:gosec // one of the constants
}

// behave tells it how to behave from now on.
func (be *backend) behave(how behaviour) error {
	return json.NewEncoder(be.orders).Encode(how)
}

// kill ends it at once, as kill -9 does.
func (be *backend) kill() error {
	err := be.process.Process.Kill()
	<-be.ended
	return err
}

// terminate ends it as the kubelet does, and does not wait.
func (be *backend) terminate() error {
	return be.process.Process.Signal(syscall.SIGTERM)
}

// behaveAll tells several.
func behaveAll(backends []*backend, how behaviour) error {
	for _, be := range backends {
		if err := be.behave(how); err != nil {
			return err
		}
	}
	return nil
}

// addresses are those of backends.
func addresses(backends []*backend) []netip.Addr {
	var all []netip.Addr
	for _, be := range backends {
		all = append(all, be.address)
	}
	return all
}

// share is a part of a whole in percent, for a cell of the table.
func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 0, 64)
}

// milliseconds is a duration for a cell of the table.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64) + " ms"
}

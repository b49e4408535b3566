package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// outside is the network beyond the Pod's, for rows in which the application
// listens on every address of the Pod at the ports that its backends have too:
// the bed's own network is then the Pod's alone.
type outside struct {
	namespace *os.File
	// last is the address that was given to a backend last.
	last netip.Addr
}

// makeOutside makes the network and joins it to the bed's. Every address of
// backendNetwork is there.
func makeOutside(ctx context.Context) (*outside, error) {
	const (
		name           = "outside"
		folder         = "/run" // where ip keeps its namespaces
		backendNetwork = "10.244.2.0/24"
		ownAddress     = "10.244.2.254"
	)
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "mode=755"); err != nil {
		return nil, fmt.Errorf("mounting a folder at %s: %w", folder, err)
	}
	for _, args := range [][]string{
		{"netns", "add", name},
		{"link", "add", "pod", "type", "veth", "peer", "name", "eth0", "netns", name},
		{"link", "set", "pod", "up"},
		{"-n", name, "link", "set", "lo", "up"},
		{"-n", name, "link", "set", "eth0", "up"},
		{"-n", name, "route", "add", "local", backendNetwork, "dev", "lo"},
		{"-n", name, "route", "add", podIP.String() + "/32", "dev", "eth0", "src", ownAddress},
		{"route", "add", backendNetwork, "dev", "pod", "src", podIP.String()},
	} {
		if err := ip(ctx, args...); err != nil {
			return nil, err
		}
	}
	namespace, err := os.Open(folder + "/netns/" + name)
	if err != nil {
		return nil, err
	}
	return &outside{namespace: namespace, last: firstBackends.Prev()}, nil
}

// do calls f where sockets are of this network.
func (o *outside) do(f func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with this function, so that nothing
		// else runs in this network.
		runtime.LockOSThread()
		if err := unix.Setns(int(o.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering the network outside the Pod: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// dial connects from there to the Pod.
func (o *outside) dial(ctx context.Context, address string) (connection net.Conn, err error) {
	err = o.do(func() error {
		connection, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	return connection, err
}

// start starts n greeters there, each at the next address, which serve gRPC on
// these ports until ctx ends.
func (o *outside) start(ctx context.Context, n int, ports ...int) ([]*backend, error) {
	var started []*backend
	for range n {
		o.last = o.last.Next()
		be := &backend{address: o.last}
		if err := o.do(func() error {
			_, err := listenAndServe(ctx, be.name(), be.address, ports)
			return err
		}); err != nil {
			return nil, err
		}
		started = append(started, be)
	}
	return started, nil
}

// listenAndServe has a greeter of that name serve gRPC on these ports of an
// address until ctx ends; the group then waits for it.
func listenAndServe(ctx context.Context, name string, address netip.Addr, ports []int) (*errgroup.Group, error) {
	serving := new(errgroup.Group)
	service := &greeter{name: name}
	for _, port := range ports {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort(address.String(), strconv.Itoa(port)))
		if err != nil {
			return nil, err
		}
		serving.Go(func() error { return service.serveGRPC(ctx, listener) })
	}
	return serving, nil
}

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// showRemoved takes a backend that goes on serving out of its Service.
func showRemoved(ctx context.Context, b *bed) error {
	if err := b.createGreeter(ctx, true); err != nil {
		return err
	}
	_, connection, err := b.served(ctx, 3, upstreams(greeterTarget, target(echoPort)))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showIdleClosed(ctx); err != nil {
		return err
	}
	if err := b.warm(ctx, connection, len(b.backends)); err != nil {
		return err
	}
	return b.showUsedLive(ctx, connection)
}

// settled is how long a change of a slice has to be followed, with much to spare.
const settled = 3 * time.Second

// showIdleClosed takes one out while nothing happens.
func (b *bed) showIdleClosed(ctx context.Context) error {
	gone := b.backends[0]
	before, err := connectionsTo(gone.address, grpcPort)
	if err != nil {
		return err
	}
	if err := b.greeter.becomes(ctx, b.backends[1:]...); err != nil {
		return err
	}
	after := before
	took, err := until(ctx, settled, func() bool {
		after, err = connectionsTo(gone.address, grpcPort)
		return err == nil && after == 0
	})
	b.row(err == nil && before > 0, "with discovery: idle connections to a Pod that left", "closed", "%d before, %d after %.1f s", before, after, took.Seconds())
	return b.greeter.becomes(ctx, b.backends...)
}

// showUsedLive takes out those on which a stream and a connection live.
func (b *bed) showUsedLive(ctx context.Context, connection *grpc.ClientConn) error {
	s, err := open(ctx, connection, chatMethod)
	if err != nil {
		return err
	}
	streaming, err := exchange(s)
	if err != nil {
		return err
	}
	echo, err := new(net.Dialer).DialContext(ctx, "tcp", target(echoPort))
	if err != nil {
		return err
	}
	defer hangUp(echo)
	reader := bufio.NewReader(echo)
	speak := func() (string, error) {
		fmt.Fprintln(echo, "hello")
		line, err := reader.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	passing, err := speak()
	if err != nil {
		return err
	}
	staying := slices.DeleteFunc(slices.Clone(b.backends), func(be *backend) bool { return be.name() == streaming || be.name() == passing })
	if err := b.greeter.becomes(ctx, staying...); err != nil {
		return err
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	const calls = 500
	seen, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	if err != nil {
		return err
	}
	_, others := seen.over(staying)
	still, err := exchange(s)
	b.row(err == nil && still == streaming && others == 0, "with discovery: a stream on a Pod that left", "lives on, no new request goes there", "same backend: %t, %d requests %s", still == streaming, others, problemText(err))
	_, err = speak()
	b.row(err == nil, "with discovery: a TCP connection to a Pod that left", "lives on", "it answers: %t %s", err == nil, problemText(err))
	return nil
}

// connectionsTo counts the connections that an address has accepted on a port
// and not closed, as the kernel lists them in /proc/net/tcp.
func connectionsTo(address netip.Addr, port int) (int, error) {
	const established = "01"
	content, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, err
	}
	quad := address.As4()
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(quad[:]), port)
	n := 0
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[1] == local && fields[3] == established {
			n++
		}
	}
	return n, nil
}

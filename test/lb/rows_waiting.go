package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// showWaiting shows what takes its time: a server that reads nothing, and
// connections on which nothing happens.
func showWaiting(ctx context.Context, b *bed) error {
	if _, err := b.start(ctx, 2); err != nil {
		return err
	}
	if err := b.publish(ctx, b.backends); err != nil {
		return err
	}
	if _, err := b.startPod(ctx, upstreams(target(grpcPort), target(sinkPort), target(echoPort))); err != nil {
		return err
	}
	idle := pick(b, 10*time.Minute, 40*time.Second)
	together, ctx := errgroup.WithContext(ctx)
	together.Go(func() error { return b.showSlowReader(ctx) })
	together.Go(func() error { return b.showIdleStream(ctx, idle) })
	together.Go(func() error { return b.showIdleTCP(ctx, idle) })
	return together.Wait()
}

// showSlowReader sends to a server that reads nothing for half a minute. Its
// window is then closed for that long, and nobody may take it for dead.
func (b *bed) showSlowReader(ctx context.Context) error {
	const sleep, size = 30 * time.Second, 64 << 20
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", target(sinkPort))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	sent, problem := 0, error(nil)
	fmt.Fprintf(connection, "%s\n", sleep)
	for piece := make([]byte, 1<<20); sent < size && problem == nil; {
		var n int
		n, problem = connection.Write(piece)
		sent += n
	}
	if half, ok := connection.(*net.TCPConn); ok && problem == nil {
		problem = half.CloseWrite()
	}
	counted := ""
	if problem == nil {
		counted, problem = bufio.NewReader(connection).ReadString('\n')
	}
	b.row(problem == nil && strings.TrimSpace(counted) == strconv.Itoa(size),
		"TCP: the server reads nothing for 30 s, 64 MiB", "nothing lost", "%d MiB sent, %s counted %s", sent>>20, strings.TrimSpace(counted), problemText(problem))
	return nil
}

// showIdleStream leaves a stream alone for a while.
func (b *bed) showIdleStream(ctx context.Context, idle time.Duration) error {
	connection, err := dial(greeterTarget)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	s, err := open(ctx, connection, chatMethod)
	if err != nil {
		return err
	}
	before, err := exchange(s)
	if err != nil {
		return err
	}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	after, err := exchange(s)
	b.row(err == nil && before == after, fmt.Sprintf("a stream idle for %s", idle), "goes on", "same backend: %t %s", before == after, problemText(err))
	return nil
}

// showIdleTCP leaves a connection that is passed through alone for a while.
func (b *bed) showIdleTCP(ctx context.Context, idle time.Duration) error {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", target(echoPort))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	reader := bufio.NewReader(connection)
	exchange := func() error {
		fmt.Fprintln(connection, "hello")
		_, err := reader.ReadString('\n')
		return err
	}
	if err := exchange(); err != nil {
		return err
	}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	err = exchange()
	b.row(err == nil, fmt.Sprintf("a TCP connection idle for %s", idle), "goes on", "it answers: %t %s", err == nil, problemText(err))
	return nil
}

// problemText is what a cell says about an error, nothing when there is none.
func problemText(err error) string {
	if err == nil {
		return ""
	}
	return "(" + err.Error() + ")"
}

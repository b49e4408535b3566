package serve

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

// connectionsPerAddress is how many connections one address may have at a time. A
// Pod has one, and a second while it moves from one replica to another; where a
// node hides its Pods behind its own address, that is twice the most Pods of a
// node.
const connectionsPerAddress = 512

// maxOwed is how many bytes of answers may be on their way to one address at a
// time: queued, and not taken by its connections yet. One Pod's are a fraction of
// it, and those of a node's Pods are after a moment.
const maxOwed = 16 << 20

// opensPerSecond and opensAtOnce bound how fast streams of one address are opened;
// those beyond wait. A node's Pods may come all at once.
const (
	opensPerSecond = 20
	opensAtOnce    = 256
)

var errConnections = errors.New("as many connections as one address may have")

// limited is a listener that closes connections of an address that has too many,
// before anything is read from them.
type limited struct {
	net.Listener
	refused func(reason, net.Addr, error)

	mu        sync.Mutex
	open      map[string]*counted // by the other side's address and port
	addresses map[netip.Addr]*address
}

// address is what the connections of one address have in common, for as long as
// there are any.
type address struct {
	connections int
	owed        int
	// opens bounds how fast streams are opened.
	opens *rate.Limiter
}

func newLimited(listener net.Listener, refused func(reason, net.Addr, error)) *limited {
	return &limited{Listener: listener, refused: refused, open: map[string]*counted{}, addresses: map[netip.Addr]*address{}}
}

// Accept returns the next connection that may stay.
func (l *limited) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &counted{Conn: &byRecord{Conn: connection}, by: l, from: addressOf(connection), key: connection.RemoteAddr().String()}
		if l.enter(c) {
			return c, nil
		}
		_ = connection.Close() // nobody is told of it
		l.refused(connections, connection.RemoteAddr(), errConnections)
	}
}

// enter counts a connection, unless there are too many.
func (l *limited) enter(c *counted) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addresses[c.from] == nil {
		l.addresses[c.from] = &address{opens: rate.NewLimiter(opensPerSecond, opensAtOnce)}
	}
	c.shared = l.addresses[c.from]
	if c.shared.connections == connectionsPerAddress {
		return false
	}
	c.shared.connections++
	l.open[c.key] = c
	return true
}

// leave ends the count of a connection, the first time.
func (l *limited) leave(c *counted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.left {
		return
	}
	c.left = true
	// A client that lost its connection may have come back from the same port.
	if l.open[c.key] == c {
		delete(l.open, c.key)
	}
	l.pay(c, c.owed)
	c.shared.connections--
	if c.shared.connections == 0 {
		delete(l.addresses, c.from)
	}
}

// cut closes all connections, those too that have not come to gRPC yet, for which
// it would wait when it stops.
func (l *limited) cut() {
	l.mu.Lock()
	open := slices.Collect(maps.Values(l.open))
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // it is given up
	}
}

// owe takes note of an answer of so many bytes to one connection, unless too much
// is on its way to its address already. What does not fit an address at all is let
// through where nothing else is on its way.
func (l *limited) owe(to net.Addr, size int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open[to.String()]
	if c == nil {
		return true // it is gone, and so is what was on its way
	}
	if owed := c.shared.owed; owed > 0 && owed+size > maxOwed {
		return false
	}
	c.owed += size
	c.shared.owed += size
	return true
}

// pay takes note that a connection took so many bytes. The lock must be held.
func (l *limited) pay(c *counted, size int) {
	size = min(size, c.owed)
	c.owed -= size
	c.shared.owed -= size
}

// turn waits until an address may open one stream more.
func (l *limited) turn(ctx context.Context, from net.Addr) error {
	l.mu.Lock()
	c := l.open[from.String()]
	l.mu.Unlock()
	if c == nil {
		return nil // it is gone, and the stream with it
	}
	return c.shared.opens.Wait(ctx)
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	by   *limited
	from netip.Addr
	key  string
	// shared is what it has in common with others of its address.
	shared *address
	// owed is how many bytes of answers it has not taken, left that it does not count
	// any more; the listener's lock guards both.
	owed int
	left bool
}

// Write writes, and takes note of what has gone.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.by.mu.Lock()
	defer c.by.mu.Unlock()
	c.by.pay(c, n)
	return n, err
}

// Close closes the connection, as often as one likes.
func (c *counted) Close() error {
	c.by.leave(c)
	return c.Conn.Close()
}

// addressOf is the address of the other side, without its port.
func addressOf(connection net.Conn) netip.Addr {
	from, err := netip.ParseAddrPort(connection.RemoteAddr().String())
	if err != nil {
		return netip.Addr{} // not of TCP: all of them count together
	}
	return from.Addr().Unmap()
}

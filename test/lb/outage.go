package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// outage is a way in which discovery is not what it should be.
type outage struct {
	name  string
	begin func(ctx context.Context) error
	end   func(ctx context.Context) error
	// spell is how long it lasts.
	spell time.Duration
}

// outages are all of them, in the long form.
func (b *bed) outages() []outage {
	const short, pings = 10 * time.Second, 25 * time.Second
	d := b.discoveries[0]
	signal := func(s syscall.Signal) func(context.Context) error {
		return func(ctx context.Context) error { return d.signal(ctx, s) }
	}
	revive := func(ctx context.Context) error { return d.revive(ctx, b) }
	some := []outage{
		{name: "stopped", begin: signal(syscall.SIGTERM), end: revive, spell: pick(b, short, 4*time.Second)},
		{name: "killed", begin: signal(syscall.SIGKILL), end: revive, spell: pick(b, short, 4*time.Second)},
	}
	if b.short {
		return some
	}
	slow := &slowPath{address: firstPath, to: d.target(), delay: 400 * time.Millisecond}
	away := func(ctx context.Context) error { return b.plane.kill(ctx) }
	return append(some,
		// Longer than it takes to find out by pings.
		outage{name: "hung (SIGSTOP)", begin: signal(syscall.SIGSTOP), end: signal(syscall.SIGCONT), spell: pings},
		b.partition(pings),
		outage{
			name: "slow (0.4 s each way)", spell: pings,
			begin: func(ctx context.Context) error { return b.goThrough(ctx, slow) },
			end:   func(ctx context.Context) error { return b.leavePath(ctx, slow) },
		},
		outage{name: "cut off from the API server, which is killed and away for a minute", begin: away, end: b.plane.restart, spell: time.Minute},
		b.expired(),
	)
}

// partition drops all packets to discovery.
func (b *bed) partition(spell time.Duration) outage {
	var restore func() error
	return outage{
		name: "partitioned (packets dropped)", spell: spell,
		begin: func(ctx context.Context) (err error) {
			restore, err = b.drop(ctx, b.discoveries[0].address)
			return err
		},
		end: func(context.Context) error { return restore() },
	}
}

// expired has discovery come back to an API server that does not know any more
// what it has seen last.
func (b *bed) expired() outage {
	d := b.discoveries[0]
	return outage{
		name: "hung, its watches expired meanwhile", spell: 5 * time.Second,
		begin: func(ctx context.Context) error { return d.signal(ctx, syscall.SIGSTOP) },
		end: func(ctx context.Context) error {
			// What it has not seen yet.
			for _, some := range [][]*backend{b.backends[:1], b.backends[:4]} {
				if err := b.greeter.becomes(ctx, some...); err != nil {
					return err
				}
			}
			if err := b.plane.kill(ctx); err != nil {
				return err
			}
			if err := b.plane.compact(ctx); err != nil {
				return err
			}
			if err := b.plane.restart(ctx); err != nil {
				return err
			}
			return d.signal(ctx, syscall.SIGCONT)
		},
	}
}

// firstPath is where the connections to discovery go that take their time.
var firstPath = netip.MustParseAddr("10.244.4.1") //nolint:gochecknoglobals // a constant, which Go has no way to write

// slowPath hands connections on to discovery and everything that is sent on them
// with a delay.
type slowPath struct {
	address  netip.Addr
	to       string
	delay    time.Duration
	listener net.Listener
	cancel   context.CancelFunc
}

// goThrough leads connections to discovery through the path, and breaks those
// that are there.
func (b *bed) goThrough(ctx context.Context, s *slowPath) error {
	if err := ip(ctx, "addr", "replace", s.address.String()+"/32", "dev", "lo"); err != nil {
		return err
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(s.address.String(), strconv.Itoa(discoveryPort))); err != nil {
		return err
	}
	open, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	go accept(s.listener, func(from net.Conn) error { return s.handOn(open, from) }) //nolint:errcheck // it ends with the listener
	if err := b.xds.lead(ctx, s.listener.Addr().String()); err != nil {
		return err
	}
	// Old connections go on straight to it until it ends.
	return b.restartDiscovery(ctx)
}

// leavePath undoes goThrough.
func (b *bed) leavePath(ctx context.Context, s *slowPath) error {
	if err := b.xds.lead(ctx, b.discoveries[0].target()); err != nil {
		return err
	}
	s.cancel()
	return s.listener.Close()
}

// restartDiscovery ends the first replica and starts it again.
func (b *bed) restartDiscovery(ctx context.Context) error {
	d := b.discoveries[0]
	if err := d.signal(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	return d.revive(ctx, b)
}

// handOn hands one connection on, both ways.
func (s *slowPath) handOn(ctx context.Context, from net.Conn) error {
	to, err := new(net.Dialer).DialContext(ctx, "tcp", s.to)
	if err != nil {
		return err
	}
	defer hangUp(to)
	both, ctx := errgroup.WithContext(ctx)
	// The end of one way is the end of both.
	stop := context.AfterFunc(ctx, func() { hangUp(from); hangUp(to) })
	defer stop()
	both.Go(func() error { return s.late(ctx, to, from) })
	both.Go(func() error { return s.late(ctx, from, to) })
	return both.Wait()
}

// piece is what was read at once, and when it shall be handed on.
type piece struct {
	data []byte
	due  time.Time
}

// late copies, the delay later, until there is no more to read.
func (s *slowPath) late(ctx context.Context, to io.Writer, from io.Reader) error {
	const most = 1000 // pieces under way
	pieces := make(chan piece, most)
	var problem error // of reading, to be looked at when pieces is closed
	go func() {
		defer close(pieces)
		for problem == nil {
			data := make([]byte, 32<<10)
			var n int
			if n, problem = from.Read(data); n == 0 {
				continue
			}
			select {
			case pieces <- piece{data[:n], time.Now().Add(s.delay)}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for p := range pieces {
		if err := pause(ctx, time.Until(p.due)); err != nil {
			return err
		}
		if _, err := to.Write(p.data); err != nil {
			return fmt.Errorf("handing on: %w", err)
		}
	}
	return problem
}

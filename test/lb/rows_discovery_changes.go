package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// cached is how long DNS goes on with an old answer, the default of CoreDNS's
// cache plugin.
const cached = 30 * time.Second

// lowest is the least that a window of two seconds may hold, in percent of the
// rate.
const lowest = 70

// The words of the rows about changes.
const (
	noneLost   = "none fails but those in flight on a killed Pod; no 2 s window under 70 %"
	noneFails  = "none fails, no 2 s window under 70 %"
	atOnceText = "Pods that exit at once, DNS stale by 30 s"
)

// createGreeter creates the Service greeter, headless or with a ClusterIP.
func (b *bed) createGreeter(ctx context.Context, clusterIP bool) error {
	b.greeter = &service{
		bed: b, name: greeterService, namespace: namespace, port: grpcPort,
		more: []int32{httpPort, echoPort, serverFirstPort, tlsPort, sinkPort},
	}
	if clusterIP {
		b.greeter.ip = greeterIP
	}
	return b.greeter.create(ctx)
}

// serveGreeter creates the Service, n backends, and a Pod that uses it.
func (b *bed) serveGreeter(ctx context.Context, n int, clusterIP bool) (*pod, *grpc.ClientConn, error) {
	if err := b.createGreeter(ctx, clusterIP); err != nil {
		return nil, nil, err
	}
	return b.served(ctx, n, upstreams(greeterTarget))
}

// showChangesClusterIP scales and replaces the backends of a Service that DNS
// knows by its ClusterIP alone.
func showChangesClusterIP(ctx context.Context, b *bed) error {
	_, connection, err := b.serveGreeter(ctx, 6, true)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	b.prefix = "ClusterIP, "
	current, err := b.showRoll(ctx, connection, "with discovery: a rolling restart of 6 Pods that exit at once", b.backends)
	if err != nil {
		return err
	}
	if current, err = b.showScaling(ctx, connection, current); err != nil {
		return err
	}
	if err := b.showKillWithDiscovery(ctx, connection, current); err != nil {
		return err
	}
	through, err := b.greeter.through(ctx)
	if err != nil {
		return err
	}
	b.row(through == 0, "connections through the ClusterIP meanwhile", "none", "%d", through)
	return b.showNobodyAndBack(ctx, connection, current[1:])
}

// showNobodyAndBack scales to nobody and back.
func (b *bed) showNobodyAndBack(ctx context.Context, connection *grpc.ClientConn, some []*backend) error {
	const spell, target, limit = 4 * time.Second, time.Second, 30 * time.Second
	if err := b.greeter.becomes(ctx); err != nil {
		return err
	}
	if err := pause(ctx, spell); err != nil {
		return err
	}
	none, nobody := say(ctx, connection, ask{})
	begin := time.Now()
	if err := b.greeter.becomes(ctx, some...); err != nil {
		return err
	}
	_, err := until(ctx, limit, func() bool {
		_, err := say(ctx, connection, ask{})
		return err == nil
	})
	took := time.Since(begin)
	b.row(nobody != nil && none == nil && err == nil, "with discovery: scaled to nobody, and back", "refused meanwhile, served after", "%s; served: %t", status.Code(nobody), err == nil)
	b.figure(err == nil && took <= target, "the same: slice written to first answer", "below 1 s", "after %s", milliseconds(took))
	return nil
}

// showChanges scales and replaces backends under load while DNS is stale.
func showChanges(ctx context.Context, b *bed) error {
	_, connection, err := b.serveGreeter(ctx, 6, false)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	b.stale = cached
	current := b.backends
	if !b.short {
		if current, err = b.showRollWithoutDiscovery(ctx, current); err != nil {
			return err
		}
	}
	if current, err = b.showRoll(ctx, connection, "with discovery: a rolling restart of 6 "+atOnceText, current); err != nil {
		return err
	}
	if current, err = b.showScaling(ctx, connection, current); err != nil {
		return err
	}
	if err := b.showKillWithDiscovery(ctx, connection, current); err != nil {
		return err
	}
	if err := b.showReadiness(ctx, connection, current[1:]); err != nil {
		return err
	}
	return b.showFollowing(ctx, connection, current[1:])
}

// showRoll shows a rolling restart and returns the new backends.
func (b *bed) showRoll(ctx context.Context, connection *grpc.ClientConn, what string, old []*backend) ([]*backend, error) {
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: 20 * time.Millisecond})
	defer l.stop()
	current, left, err := b.roll(ctx, l, old)
	if err != nil {
		return nil, err
	}
	end := l.now()
	all := l.stop()
	last := all.between(end-2*time.Second, end).spread()
	met, seen := verdictOf(all, left...)
	_, others := last.over(current)
	b.row(met && len(last) == len(current) && others == 0, what, noneLost, "%s; then %s", seen, last.show(current))
	return current, nil
}

// showRollWithoutDiscovery shows the same with a sidecar that asks DNS alone,
// for comparison.
func (b *bed) showRollWithoutDiscovery(ctx context.Context, old []*backend) ([]*backend, error) {
	const port = 9100
	p, err := b.startPodBeside(ctx, upstreams(fmt.Sprintf("before:%d=%s", port, greeterTarget)), b.withoutDiscovery())
	if err != nil {
		return nil, err
	}
	connection, err := p.dial(0, port)
	if err != nil {
		return nil, err
	}
	defer hangUp(connection)
	if err := b.warm(ctx, connection, len(old)); err != nil {
		return nil, err
	}
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: 20 * time.Millisecond})
	defer l.stop()
	current, left, err := b.roll(ctx, l, old)
	if err != nil {
		return nil, err
	}
	met, seen := verdictOf(l.stop(), left...)
	b.figure(met, "from DNS alone: a rolling restart of 6 "+atOnceText, "reported", "%s", seen)
	return current, p.stop()
}

// showScaling goes from 6 to 2 and up to 8.
func (b *bed) showScaling(ctx context.Context, connection *grpc.ClientConn, six []*backend) ([]*backend, error) {
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: 20 * time.Millisecond})
	defer l.stop()
	settle := pick(b, 10*time.Second, 4*time.Second)
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	two := six[4:]
	left, err := b.leaveTogether(ctx, l, six[:4], two)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	up := l.now()
	more, err := b.start(ctx, 6)
	if err != nil {
		return nil, err
	}
	eight := slices.Concat(two, more)
	if err := b.greeter.becomes(ctx, eight...); err != nil {
		return nil, err
	}
	written := l.now()
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	all := l.stop()
	met, seen := verdictOf(all.between(0, up), left)
	b.row(met, "with discovery: 6 become 2, 4 at once", noneLost, "%s", seen)
	met, seen = verdictOf(all.between(up, l.now()))
	at8 := all.between(written+time.Second, l.now()).spread()
	_, others := at8.over(eight)
	b.row(met && len(at8) == len(eight) && others == 0, "with discovery: 2 become 8", noneFails+"; all serve", "%s; %s", seen, at8.show(eight))
	return eight, nil
}

// showKillWithDiscovery kills one. That is noticed a second later.
func (b *bed) showKillWithDiscovery(ctx context.Context, connection *grpc.ClientConn, current []*backend) error {
	const noticed = time.Second
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: 20 * time.Millisecond})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	killed := span{from: l.now()}
	if err := current[0].kill(); err != nil {
		return err
	}
	killed.to = l.now()
	if err := pause(ctx, noticed); err != nil {
		return err
	}
	if err := b.greeter.becomes(ctx, current[1:]...); err != nil {
		return err
	}
	if err := pause(ctx, pick(b, 8*time.Second, 3*time.Second)); err != nil {
		return err
	}
	met, seen := verdictOf(l.stop(), killed)
	b.row(met, "with discovery: kill -9 of one of 8, in its slice for 1 s more", noneLost, "%s", seen)
	return nil
}

// showReadiness has a backend that goes on serving be not ready for a while.
func (b *bed) showReadiness(ctx context.Context, connection *grpc.ClientConn, current []*backend) error {
	spell := pick(b, 6*time.Second, 3*time.Second)
	const reaction = time.Second
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	slice := b.greeter.slice("all", current...)
	slice.Endpoints[0].Conditions.Ready, slice.Endpoints[0].Conditions.Serving = new(false), new(false)
	if err := b.greeter.write(ctx, slice); err != nil {
		return err
	}
	out := l.now()
	if err := pause(ctx, spell); err != nil {
		return err
	}
	back := l.now()
	if err := b.greeter.becomes(ctx, current...); err != nil {
		return err
	}
	if err := pause(ctx, spell); err != nil {
		return err
	}
	all := l.stop()
	name := current[0].name()
	during := all.between(out+reaction, back).spread()[name]
	after := all.between(back+reaction, l.now()).spread()[name]
	met, seen := verdictOf(all)
	b.row(met && during == 0 && after > 0, "with discovery: a Pod is not ready, then ready", noneFails+"; it gets none meanwhile",
		"%s; it gets %d meanwhile, %d after", seen, during, after)
	return nil
}

// showFollowing takes the time from the write of a slice to the first request
// at a new backend and the last at an old one, many times.
func (b *bed) showFollowing(ctx context.Context, connection *grpc.ClientConn, current []*backend) error {
	const spell, target, percent = time.Second, time.Second, 99
	rounds := pick(b, 100, 6)
	rest, swapped := current[:2], current[2:4]
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	var first, last outcomes // took is the time from the write
	for i := range rounds {
		in, out := swapped[i%2], swapped[(i+1)%2]
		written := l.now()
		if err := b.greeter.becomes(ctx, append(slices.Clone(rest), in)...); err != nil {
			return err
		}
		if err := pause(ctx, spell); err != nil {
			return err
		}
		since := l.soFar().between(written, l.now())
		if i == 0 {
			continue // others left as well
		}
		first = append(first, outcome{took: since.firstAt(in.name()) - written})
		last = append(last, outcome{took: max(0, since.lastAt(out.name())-written)})
	}
	met, seen := verdictOf(l.stop())
	b.row(met, fmt.Sprintf("with discovery: %d times one of 3 Pods replaced, a second apart", rounds), noneFails, "%s", seen)
	for _, one := range []struct {
		what  string
		times outcomes
	}{{"first request at the new Pod", first}, {"last request at the old Pod", last}} {
		b.figure(one.times.percentile(percent) <= target, "slice written to "+one.what, "p99 below 1 s", "p50 %s, p99 %s, most %s",
			milliseconds(one.times.percentile(50)), milliseconds(one.times.percentile(percent)), milliseconds(one.times.percentile(100)))
	}
	return nil
}

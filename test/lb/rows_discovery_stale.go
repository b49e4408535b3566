package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// showStale replaces all backends while discovery is away, behind a headless
// Service, whose new Pods DNS names late. The protocol is auto: hosts that were
// there before the first request are asked for their health once a minute at
// first, so what is there at the outage came by a rollout before it.
func showStale(ctx context.Context, b *bed) error {
	b.stale = cached
	return b.showOutlived(ctx, outlived{
		what: "headless Service, protocol auto", bound: cached + refresh + 2*time.Second,
		annotations: upstreams(greeterTarget, target(echoPort)), rolledOut: true, tcp: true,
	})
}

// showStaleClusterIP is the same behind a ClusterIP, whose rules are never late,
// with protocol http, where all are asked from the start.
func showStaleClusterIP(ctx context.Context, b *bed) error {
	return b.showOutlived(ctx, outlived{
		what: "ClusterIP, protocol http", clusterIP: true, bound: 15 * time.Second,
		annotations: upstreams(greeterTarget).with("protocol", "http"),
	})
}

// outlived is a Service all of whose backends are replaced while discovery is
// away.
type outlived struct {
	what      string
	clusterIP bool
	// bound is how soon the rate has to be whole again.
	bound       time.Duration
	annotations annotations
	// rolledOut has all backends be replaced once before.
	rolledOut bool
	// tcp says that connections are passed through, too.
	tcp bool
}

// showOutlived shows it.
func (b *bed) showOutlived(ctx context.Context, o outlived) error {
	const away, settle = 2 * time.Minute, 4 * time.Second
	if err := b.createGreeter(ctx, o.clusterIP); err != nil {
		return err
	}
	p, connection, err := b.served(ctx, 6, o.annotations)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, settle); err != nil {
		return err
	}
	current := b.backends
	if o.rolledOut {
		if current, err = b.replace(ctx, l, current); err != nil {
			return err
		}
		if err := pause(ctx, settle); err != nil {
			return err
		}
	}
	if err := b.discoveries[0].signal(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	gone := l.now()
	if current, err = b.replace(ctx, l, current); err != nil {
		return err
	}
	replaced := l.now()
	if err := pause(ctx, away-(l.now()-gone)); err != nil {
		return err
	}
	back := l.now()
	b.showRecovery(l.soFar(), replaced, back, o.bound, o.what, current)
	if o.tcp {
		if err := b.showStaleTCP(ctx, current); err != nil {
			return err
		}
	}
	if err := b.discoveries[0].revive(ctx, b); err != nil {
		return err
	}
	return b.showBack(ctx, p, connection, l, current, o.what)
}

// replace has backends leave at once for as many new ones.
func (b *bed) replace(ctx context.Context, l *load, old []*backend) ([]*backend, error) {
	old = slices.Clone(old)
	more, err := b.start(ctx, len(old))
	if err != nil {
		return nil, err
	}
	_, err = b.leaveTogether(ctx, l, old, more)
	return more, err
}

// showRecovery says when the rate was whole again, and what came after.
func (b *bed) showRecovery(all outcomes, replaced, end, bound time.Duration, what string, more []*backend) {
	whole := all.wholeFrom(replaced)
	before := all.between(replaced, replaced+bound)
	after := all.between(replaced+bound, end)
	met, seen := verdictOf(after)
	b.row(met && len(after) > 0, fmt.Sprintf("discovery away while all 6 are replaced, %s: from %.0f s on", what, bound.Seconds()), noneFails,
		"%s; %s", seen, after.spread().show(more))
	b.figure(whole-replaced <= bound, "the same: no request fails any more", fmt.Sprintf("after at most %.0f s", bound.Seconds()),
		"after %.1f s, until then %s", (whole - replaced).Seconds(), before.errors())
}

// showStaleTCP makes connections that are passed through, one after the other.
// Nobody asks these hosts for their health: the first attempts find out, and some
// do again when a host that was ejected is let in again.
func (b *bed) showStaleTCP(ctx context.Context, more []*backend) error {
	const connections, between, patience = 60, 200 * time.Millisecond, 5 * time.Second
	begin := time.Now()
	seen, failed := spread{}, 0
	var first time.Duration
	for range connections {
		name, err := firstEcho(ctx)
		switch {
		case err != nil:
			failed++
		case len(seen) == 0:
			first = time.Since(begin)
		}
		if err == nil {
			seen[name]++
		}
		if err := pause(ctx, between); err != nil {
			return err
		}
	}
	_, others := seen.over(more)
	const half = connections / 2
	b.row(others == 0 && seen.total() > half, "the same, connections that are passed through", "most are answered", "%d of %d fail, %s", failed, connections, seen.show(more))
	b.figure(first > 0 && first <= patience, "the same, the first that is answered", "within 5 s", "after %.1f s", first.Seconds())
	return nil
}

// firstEcho opens a connection that is passed through and says who answers.
func firstEcho(ctx context.Context) (string, error) {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", target(echoPort))
	if err != nil {
		return "", err
	}
	defer hangUp(connection)
	if err := connection.SetDeadline(time.Now().Add(refresh)); err != nil {
		return "", err
	}
	fmt.Fprintln(connection, "hello")
	name, err := bufio.NewReader(connection).ReadString('\n')
	return strings.TrimSpace(name), err
}

// wholeFrom is when the first request began after which none failed, looking at
// those that began at some time or later.
func (o outcomes) wholeFrom(from time.Duration) time.Duration {
	whole := from
	for _, one := range o.failed() {
		whole = max(whole, one.begun)
	}
	return whole
}

// showBack waits until discovery, back again, is followed.
func (b *bed) showBack(ctx context.Context, p *pod, connection *grpc.ClientConn, l *load, more []*backend, what string) error {
	const calls = 6000
	begun := l.now()
	took, late := until(ctx, followedLongest, func() bool {
		exported, err := p.stats(ctx)
		return err == nil && int(exported.sum(healthyMetric, greeterPool)) == len(more)
	})
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	met, seen := verdictOf(l.stop().between(begun, l.now()))
	after, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	if err != nil {
		return err
	}
	b.row(met && late == nil && after.even(more), "discovery is back, "+what, noneFails+"; even again", "%s; then %s", seen, after.show(more))
	b.figure(took <= followedAgain, "the same: followed again", "within 10 s", "after %.1f s", took.Seconds())
	return nil
}

// showBlackHole drops all packets to half of the Pods behind a ClusterIP.
func showBlackHole(ctx context.Context, b *bed) error {
	p, connection, err := b.serveGreeter(ctx, 6, true)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	half := b.backends[3:]
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	holed := l.now()
	var restores []func() error
	for _, be := range half {
		restore, err := b.drop(ctx, be.address)
		if err != nil {
			return err
		}
		restores = append(restores, restore)
	}
	if err := pause(ctx, pick(b, time.Minute, 12*time.Second)); err != nil {
		return err
	}
	end := l.now()
	through, err := b.greeter.through(ctx)
	if err != nil {
		return err
	}
	exported, err := p.stats(ctx)
	if err != nil {
		return err
	}
	for _, restore := range restores {
		if err := restore(); err != nil {
			return err
		}
	}
	byDNS := exported.sum(requestsMetric, greeterDNSPool)
	during := l.soFar().between(holed, end)
	b.row(through == 0 && byDNS == 0, "half of 6 Pods behind a ClusterIP are black holes", "not one request through the ClusterIP", "%d connections, %.0f requests", through, byDNS)
	first := during.between(holed, holed+blackHoleBound).failed()
	later := during.between(holed+blackHoleBound, end)
	met, seen := verdictOf(later)
	b.row(met, "the same, from 6 s on, deadline 1 s", noneFails, "%s; before: %d fail", seen, len(first))
	return b.showHealed(ctx, l)
}

// blackHoleBound is how long a sidecar may need to find out that a host is gone
// without a word: TCP_USER_TIMEOUT of 5 s, and one second more.
const blackHoleBound = 6 * time.Second

// showHealed shows that all serve again.
func (b *bed) showHealed(ctx context.Context, l *load) error {
	begin := l.now()
	const limit = 30 * time.Second
	took, err := until(ctx, limit, func() bool { return len(l.soFar().between(l.now()-2*time.Second, l.now()).spread()) == len(b.backends) })
	all := l.stop()
	b.row(err == nil && len(all.between(begin, l.now()).failed()) == 0, "their packets are let through again", "all serve again, nothing fails", "after %.1f s, %s", took.Seconds(), all.between(begin, l.now()).errors())
	return nil
}

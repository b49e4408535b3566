package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// The ports that clients dial which are started while discovery is away.
const (
	meanwhilePort   = 9101
	silentPort      = 9102
	startedBound    = 1500 * time.Millisecond
	silentBound     = 5 * time.Second
	followedAgain   = 10 * time.Second
	followedLongest = 2 * time.Minute
)

// showAway has discovery fail in all ways under load.
func showAway(ctx context.Context, b *bed) error {
	p, connection, err := b.serveGreeter(ctx, 4, false)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	for _, o := range b.outages() {
		if err := b.showOutage(ctx, p, connection, o); err != nil {
			return fmt.Errorf("discovery %s: %w", o.name, err)
		}
	}
	if err := b.showUntrusted(ctx); err != nil {
		return err
	}
	if b.short {
		return nil
	}
	return b.showRolledOut(ctx, p, connection)
}

// showUntrusted starts a client that trusts another CA than discovery's.
func (b *bed) showUntrusted(ctx context.Context) error {
	const port, calls = 9103, 1000
	other, err := selfSigned()
	if err != nil {
		return err
	}
	policy, copied := b.policy, *b.policy.Discovery
	copied.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate[0]}))
	policy.Discovery = &copied
	p, err := b.startPodBeside(ctx, upstreams(fmt.Sprintf("untrusting:%d=%s", port, greeterTarget)), policy)
	if err != nil {
		return err
	}
	seen, problem := b.callAlias(ctx, p, 0, port, calls)
	exported, err := p.stats(ctx)
	if err != nil {
		return err
	}
	byDNS := exported.sum(requestsMetric, greeterDNSPool)
	b.row(problem == nil && len(seen) == len(b.backends) && int(byDNS) == calls, "a client that does not trust discovery's certificate", "works, from DNS alone",
		"%s of %d, %.0f through DNS, ready after %.2f s %s", seen.show(b.backends), seen.total(), byDNS, p.ready.Seconds(), problemText(problem))
	return p.stop()
}

// showOutage shows one: what a client that runs sees, what one that is started
// meanwhile does, and how soon a change is followed afterwards. The backend that
// leaves the Service goes on serving, so that only the sidecar's knowledge counts.
func (b *bed) showOutage(ctx context.Context, p *pod, connection *grpc.ClientConn, o outage) error {
	all := slices.Clone(b.backends[:4])
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	begun := l.now()
	if err := o.begin(ctx); err != nil {
		return err
	}
	if err := b.showStartedMeanwhile(ctx, o, all); err != nil {
		return err
	}
	if err := pause(ctx, max(0, o.spell-(l.now()-begun))); err != nil {
		return err
	}
	during := l.soFar().between(begun, l.now())
	exported, err := p.stats(ctx)
	if err != nil {
		return err
	}
	met, seen := verdictOf(during)
	members, byDNS := exported.sum(membersMetric, greeterPool), exported.sum(requestsMetric, greeterDNSPool)
	b.row(met && int(members) == len(all) && byDNS == 0 && len(during.spread()) == len(all), "discovery "+o.name+", a client that runs", "nothing changes: "+noneFails,
		"%s; %s; %.0f through DNS", seen, during.spread().show(all), byDNS)
	if err := o.end(ctx); err != nil {
		return err
	}
	if err := b.showFollowedAgain(ctx, p, o.name, all); err != nil {
		return err
	}
	met, seen = verdictOf(l.stop())
	b.row(met, "discovery "+o.name+", until it is followed again", noneFails, "%s", seen)
	return nil
}

// showFollowedAgain takes a backend out of the Service and puts it back, and
// waits until the sidecar follows.
func (b *bed) showFollowedAgain(ctx context.Context, p *pod, name string, all []*backend) error {
	begin := time.Now()
	if err := b.greeter.becomes(ctx, all[1:]...); err != nil {
		return err
	}
	count := func(n int) func() bool {
		return func() bool {
			exported, err := p.stats(ctx)
			return err == nil && int(exported.sum(membersMetric, greeterPool)) == n
		}
	}
	_, err := until(ctx, followedLongest, count(len(all)-1))
	took := time.Since(begin)
	b.row(err == nil, "discovery "+name+", is back", "a change is followed", "members become %d: %t", len(all)-1, err == nil)
	b.figure(err == nil && took <= followedAgain, "the same, how soon", "within 10 s", "after %.1f s", took.Seconds())
	if err := b.greeter.becomes(ctx, all...); err != nil {
		return err
	}
	_, err = until(ctx, followedLongest, count(len(all)))
	return err
}

// showStartedMeanwhile starts clients while discovery is away, one of them while
// DNS does not answer either.
func (b *bed) showStartedMeanwhile(ctx context.Context, o outage, all []*backend) error {
	const calls = 4000
	p, err := b.startPodBeside(ctx, upstreams(fmt.Sprintf("meanwhile:%d=%s", meanwhilePort, greeterTarget)), b.policy)
	if err != nil {
		return err
	}
	connection, err := p.dial(0, meanwhilePort)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	seen, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	b.row(err == nil && seen.even(all), "discovery "+o.name+", a client started meanwhile", "works at once: each within 10 % of even", "%s of %d %s", seen.show(all), seen.total(), problemText(err))
	b.figure(p.ready <= startedBound, "the same, ready", "within 1.5 s", "after %.2f s", p.ready.Seconds())
	if err := p.stop(); err != nil {
		return err
	}
	b.names.be(silent)
	p, err = b.startPodBeside(ctx, upstreams(fmt.Sprintf("silent:%d=%s", silentPort, greeterTarget)), b.policy)
	b.names.be(normal)
	if err != nil {
		return err
	}
	b.figure(p.ready <= silentBound, "the same, DNS silent too, ready", "within 5 s", "after %.2f s", p.ready.Seconds())
	return p.stop()
}

// showRolledOut replaces the replica of discovery as a Deployment does.
func (b *bed) showRolledOut(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const name = "rolled out"
	all := slices.Clone(b.backends[:4])
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	fresh, err := b.startDiscovery(ctx)
	if err != nil {
		return err
	}
	if err := fresh.waitReady(ctx); err != nil {
		return err
	}
	if err := b.xds.lead(ctx, fresh.target()); err != nil {
		return err
	}
	if err := b.discoveries[0].signal(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	if err := b.showFollowedAgain(ctx, p, name, all); err != nil {
		return err
	}
	if err := pause(ctx, 4*time.Second); err != nil {
		return err
	}
	met, seen := verdictOf(l.stop())
	b.row(met, "discovery "+name+", a client that runs", noneFails, "%s", seen)
	return nil
}

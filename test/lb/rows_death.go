package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
)

// showDeath lets backends die in two ways while DNS still names them.
func showDeath(ctx context.Context, b *bed) error {
	p, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showVanished(ctx, p, connection); err != nil {
		return err
	}
	return b.showKilled(ctx, connection)
}

// showKilled kills one with SIGKILL: its kernel answers for it.
func (b *bed) showKilled(ctx context.Context, connection *grpc.ClientConn) error {
	const work = 20 * time.Millisecond
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: work})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	killed := span{from: l.now()}
	if err := b.backends[0].kill(); err != nil {
		return err
	}
	killed.to = l.now()
	if err := pause(ctx, pick(b, 20*time.Second, 8*time.Second)); err != nil {
		return err
	}
	all := l.stop()
	inFlight := all.failed().inFlight(killed)
	b.row(len(all.failed()) == len(inFlight), "kill -9 of one of 4 that DNS still names", "none fails but those in flight on it",
		"%s, %d of them in flight", all.errors(), len(inFlight))
	return nil
}

// showVanished drops all packets to one, as when its node is lost.
func (b *bed) showVanished(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const bound = 6 * time.Second
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	vanished := l.now()
	restore, err := b.drop(ctx, b.backends[3].address)
	if err != nil {
		return err
	}
	if err := pause(ctx, pick(b, 90*time.Second, 20*time.Second)); err != nil {
		return err
	}
	back := l.now()
	seen, err := p.stats(ctx)
	if err != nil {
		return err
	}
	if err := restore(); err != nil {
		return err
	}
	if err := pause(ctx, pick(b, 20*time.Second, 8*time.Second)); err != nil {
		return err
	}
	all := l.stop()
	gone := all.between(vanished, back)
	first := gone.between(vanished, vanished+bound).failed()
	later := gone.between(vanished+bound, back)
	b.row(len(later.failed()) == 0, "packets to one of 4 dropped silently", "failures end within 6 s", "%d fail, the last begun after %.1f s",
		len(gone.failed()), max(0, gone.failed().last()-vanished).Seconds())
	b.row(len(later.failed()) == 0, "it is tried again meanwhile, deadline 1 s", "costs no request", "%s; ejected %.0f times; first 6 s: %d of %d fail",
		later.errors(), seen.sum(ejectionsMetric, greeterPool), len(first), len(gone.between(vanished, vanished+bound)))
	after := all.between(back, l.now())
	_, again := after.spread()[b.backends[3].name()]
	b.row(again && len(after.failed()) == 0, "its packets are let through again", "it serves again, nothing fails", "%s, %s", after.spread().show(b.backends), after.errors())
	return nil
}

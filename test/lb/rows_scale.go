package main

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
)

// refresh is how often the sidecar asks DNS, the default of dns-refresh. The
// answers of this DNS server come from no cache.
const refresh = 5 * time.Second

// followed is how soon a change of DNS has to be followed: cache + refresh + 2 s.
const (
	followed     = refresh + 2*time.Second
	followedText = "within DNS cache (0 s) + refresh (5 s) + 2 s"
)

// The load of the rows about changes, in requests a second, and the deadline of
// each.
const (
	loadRate     = 200
	loadDeadline = time.Second
)

// showScale scales under load and restarts everything.
func showScale(ctx context.Context, b *bed) error {
	p, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showRollingRestart(ctx, connection, false); err != nil {
		return err
	}
	if err := b.showRollingRestart(ctx, connection, true); err != nil {
		return err
	}
	return b.showUpAndDown(ctx, p, connection)
}

// showUpAndDown goes from 4 to 8 and down to 2.
func (b *bed) showUpAndDown(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	few := b.backends[len(b.backends)-4:]
	more, err := b.start(ctx, 4)
	if err != nil {
		return err
	}
	many := slices.Concat(few, more)
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	up, err := b.follow(ctx, p, many)
	if err != nil {
		return err
	}
	begin := l.now()
	if err := pause(ctx, pick(b, 8*time.Second, 4*time.Second)); err != nil {
		return err
	}
	down := l.now()
	atEight := l.soFar().between(begin+time.Second, down).spread()
	served, _ := atEight.over(more)
	b.row(up <= followed && minimum(served) > 0, "4 backends become 8: the new ones serve", followedText, "after %.1f s, %s", up.Seconds(), atEight.show(many))

	for _, be := range many[2:] {
		if err := be.terminate(); err != nil {
			return err
		}
	}
	less, err := b.follow(ctx, p, many[:2])
	if err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	all := l.stop()
	b.row(less <= followed, "8 become 2: the others are forgotten", followedText, "after %.1f s", less.Seconds())
	b.row(len(all.between(0, down).failed()) == 0, "requests while 4 become 8, 200/s, deadline 1 s", "none fails", "%s %s", all.between(0, down).errors(), all.between(0, down).firstError())
	b.row(len(all.between(down, l.now()).failed()) == 0, "requests while 8 become 2, all 6 at once", "none fails", "%s %s", all.between(down, l.now()).errors(), all.between(down, l.now()).firstError())
	return nil
}

// follow makes DNS name these backends and waits until the sidecar has as many.
func (b *bed) follow(ctx context.Context, p *pod, backends []*backend) (time.Duration, error) {
	const limit = 30 * time.Second
	if err := b.publish(ctx, backends); err != nil {
		return 0, err
	}
	return until(ctx, limit, func() bool {
		seen, err := p.stats(ctx)
		return err == nil && int(seen.sum(membersMetric, greeterPool)) == len(backends)
	})
}

// showRollingRestart replaces the last four backends by new ones at new
// addresses, as a Deployment does: one by one, each as soon as the new one is
// Ready. They end gracefully, or at once, and then their addresses swallow
// packets, as those of Pods that are gone do.
func (b *bed) showRollingRestart(ctx context.Context, connection *grpc.ClientConn, vanish bool) error {
	const becomesReady = 3 * time.Second
	leave := (*backend).terminate
	if vanish {
		leave = func(be *backend) error {
			if err := be.kill(); err != nil {
				return err
			}
			_, err := b.drop(ctx, be.address)
			return err
		}
	}
	old := slices.Clone(b.backends[len(b.backends)-4:])
	current := slices.Clone(old)
	l := startLoad(ctx, connection, loadDeadline, ask{Delay: 20 * time.Millisecond})
	defer l.stop()
	var left []span
	for _, leaving := range old {
		if err := pause(ctx, becomesReady); err != nil {
			return err
		}
		started, err := b.start(ctx, 1)
		if err != nil {
			return err
		}
		current = append(current[1:], started...)
		if err := b.publish(ctx, current); err != nil {
			return err
		}
		going := span{from: l.now()}
		if err := leave(leaving); err != nil {
			return err
		}
		going.to = l.now()
		left = append(left, going)
	}
	if err := pause(ctx, followed+2*time.Second); err != nil {
		return err
	}
	end := l.now()
	all := l.stop()
	last := all.between(end-2*time.Second, end).spread()
	if vanish {
		// What is in flight on a Pod that is gone at once is lost in any case.
		lost := all.failed().inFlight(left...)
		worst, when := all.worstWindow(loadRate)
		b.row(len(all.failed()) == len(lost) && len(last) == len(current), "the same with Pods that exit at once, their addresses swallow packets",
			"none fails but those in flight", "%s, %d of them in flight; worst 2 s window %.0f %% of the rate (at %.0f s)", all.errors(), len(lost), worst, when.Seconds())
		return nil
	}
	b.row(len(all.failed()) == 0 && len(last) == len(current), "a rolling restart, graceful, a Pod every 3 s", "no request fails, the new serve", "%s, then %s %s",
		all.errors(), last.show(current), all.firstError())
	return nil
}

// minimum is the least of some numbers, 0 without any.
func minimum(numbers []int) int {
	if len(numbers) == 0 {
		return 0
	}
	least := numbers[0]
	for _, n := range numbers {
		least = min(least, n)
	}
	return least
}

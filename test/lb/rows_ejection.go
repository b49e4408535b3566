package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// showEjection shows that a server that works is not taken for dead.
func showEjection(ctx context.Context, b *bed) error {
	p, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showApplicationErrors(ctx, p, connection); err != nil {
		return err
	}
	if err := b.showAllSlow(ctx, p, connection); err != nil {
		return err
	}
	return b.showResets(ctx, p, connection)
}

// showApplicationErrors lets every request fail in the handler.
func (b *bed) showApplicationErrors(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const calls = 500
	before, err := p.stats(ctx)
	if err != nil {
		return err
	}
	for _, code := range []codes.Code{codes.Internal, codes.Unknown, codes.Unavailable, codes.ResourceExhausted} {
		for range calls {
			say(ctx, connection, ask{Code: uint32(code)}) //nolint:errcheck // it fails, that is what it is for
		}
	}
	after, err := p.stats(ctx)
	if err != nil {
		return err
	}
	ejections := after.sum(ejectionsMetric, greeterPool) - before.sum(ejectionsMetric, greeterPool)
	b.row(ejections == 0, "INTERNAL, UNKNOWN, UNAVAILABLE and RESOURCE_EXHAUSTED of the application, 500 each", "eject nobody", "%.0f ejections", ejections)
	return nil
}

// showAllSlow makes all backends slower than the callers' deadline for ten
// seconds.
func (b *bed) showAllSlow(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const deadline, slow, spell, recovery = 45 * time.Millisecond, 200 * time.Millisecond, 10 * time.Second, 10 * time.Second
	l := startLoad(ctx, connection, deadline, ask{})
	defer l.stop()
	stop := p.watch(ctx, activeMetric)
	if err := behaveAll(b.backends, behaviour{Slow: slow}); err != nil {
		return err
	}
	if err := pause(ctx, spell); err != nil {
		return err
	}
	if err := behaveAll(b.backends, behaviour{}); err != nil {
		return err
	}
	during := l.soFar()
	if err := pause(ctx, recovery); err != nil {
		return err
	}
	most := slices.Max(stop())
	l.stop()
	const calls = 4000
	after, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	if err != nil {
		return err
	}
	half := len(b.backends) / 2
	b.row(most <= half, "all backends slower than the 45 ms deadline for 10 s", fmt.Sprintf("at most %d of %d ejected at a time", half, len(b.backends)),
		"at most %d ejected; %s", most, during.errors())
	b.row(after.even(b.backends), "10 s after they have recovered", "each within 10 % of even", "%s", after.show(b.backends))
	return nil
}

// showResets adds a backend that resets a tenth of its streams.
func (b *bed) showResets(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const resets = "0.1"
	faulty, err := b.start(ctx, 1, "--resets", resets)
	if err != nil {
		return err
	}
	if _, err := b.follow(ctx, p, b.backends); err != nil {
		return err
	}
	before, err := p.stats(ctx)
	if err != nil {
		return err
	}
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	stop := p.watch(ctx, activeMetric)
	if err := pause(ctx, pick(b, time.Minute, 12*time.Second)); err != nil {
		return err
	}
	most, all := slices.Max(stop()), l.stop()
	after, err := p.stats(ctx)
	if err != nil {
		return err
	}
	reset := after.sum(resetsMetric, greeterPool) - before.sum(resetsMetric, greeterPool)
	counts, _ := all.spread().over(faulty)
	b.row(most == 0 && reset > 0, "one of 5 resets a tenth of its streams", "not ejected",
		"%d ejected, %.0f resets, it serves %s %%, %s", most, reset, share(counts[0], all.spread().total()), all.errors())
	return nil
}

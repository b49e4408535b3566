package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
)

// showSlowBackend shows what one slow backend costs.
func showSlowBackend(ctx context.Context, b *bed) error {
	const slow = 50 * time.Millisecond
	_, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	direct, err := b.roundRobin()
	if err != nil {
		return err
	}
	defer hangUp(direct)
	if err := b.backends[0].behave(behaviour{Slow: slow}); err != nil {
		return err
	}
	spell := pick(b, 30*time.Second, 6*time.Second)
	without, err := loadFor(ctx, direct, spell)
	if err != nil {
		return err
	}
	with, err := loadFor(ctx, connection, spell)
	if err != nil {
		return err
	}
	counts, _ := with.spread().over(b.backends[:1])
	const tenth = 0.1
	b.row(float64(counts[0]) <= tenth*float64(with.spread().total()) && len(with.failed()) == 0, "one of 4 backends is 50 ms slower, 200 requests/s", "gets at most a tenth",
		"%s of %d", with.spread().show(b.backends), with.spread().total())
	b.figure(with.percentile(90) < without.percentile(90), "p90 and p99 of all requests meanwhile", "below a client's round robin",
		"%s and %s; round robin (%s) %s and %s", milliseconds(with.percentile(90)), milliseconds(with.percentile(99)),
		without.spread().show(b.backends), milliseconds(without.percentile(90)), milliseconds(without.percentile(99)))
	return nil
}

// roundRobin is a channel straight to all backends, each in its turn: what a
// client can do without the sidecar, in its code. The name is another one: Go
// looks into the hosts file for the alias even where the name ends with a dot.
func (b *bed) roundRobin() (*grpc.ClientConn, error) {
	const name = "direct." + namespace + ".svc." + clusterDomain + "."
	b.names.set(name, addresses(b.backends)...)
	return dial(fmt.Sprintf("dns:///%s:%d", name, grpcPort), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
}

// loadFor is a load of that length.
func loadFor(ctx context.Context, connection *grpc.ClientConn, spell time.Duration) (outcomes, error) {
	l := startLoad(ctx, connection, loadDeadline, ask{})
	err := pause(ctx, spell)
	return l.stop(), err
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
)

// group is a part of the table with a bed of its own.
type group struct {
	name string
	run  func(ctx context.Context, b *bed) error
	// limit is when something must be wrong.
	limit time.Duration
	// waits says that it uses hardly any CPU and so may run beside others.
	waits bool
	// alone says that it measures, so that nothing should run beside it.
	alone bool
	// long says that the short form leaves it out.
	long bool
	// python says that it needs Python's grpc.
	python bool
	// discovery says that its bed has an API server and discovery.
	discovery bool
}

// groups are all of them, in the order of the table. Those that wait come as
// they are done.
func groups() []group {
	const limit = 5 * time.Minute
	return slices.Concat([]group{
		{name: "balance", run: showBalance, limit: limit, python: true},
		{name: "protocols", run: showProtocols, limit: limit},
		{name: "waiting", run: showWaiting, limit: 15 * time.Minute, waits: true},
		{name: "streams", run: showStreams, limit: limit, alone: true},
		{name: "fidelity", run: showFidelity, limit: limit},
		{name: "scale", run: showScale, limit: limit},
		{name: "death", run: showDeath, limit: limit},
		{name: "ejection", run: showEjection, limit: limit},
		{name: "dns", run: showDNS, limit: limit},
		{name: "silent-dns", run: showSilentDNS, limit: limit},
		{name: "sidecar", run: showSidecar, limit: limit},
		{name: "manifests", run: showManifests, limit: limit},
	}, discoveryGroups(), []group{
		{name: "slow-backend", run: showSlowBackend, limit: limit, alone: true},
		{name: "cost", run: showCost, limit: 10 * time.Minute, alone: true},
	})
}

// The Service of most rows, as its client dials it and as DNS knows it.
const (
	greeterService = "greeter"
	greeterTarget  = "greeter:9000"
	greeterName    = greeterService + "." + namespace + ".svc." + clusterDomain + "."
)

// served starts backends behind the Service greeter, a Pod with these
// annotations, and the application's connection.
func (b *bed) served(ctx context.Context, n int, a annotations) (*pod, *grpc.ClientConn, error) {
	backends, err := b.start(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	if err := b.publish(ctx, backends); err != nil {
		return nil, nil, err
	}
	p, err := b.startPod(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	if b.greeter != nil {
		// The API server was looked for in the hosts file of before.
		if err := waitAlias(ctx, greeterService, p.Spec.HostAliases[0].IP); err != nil {
			return nil, nil, err
		}
	}
	connection, err := dial(greeterTarget)
	if err != nil {
		return nil, nil, err
	}
	return p, connection, b.warm(ctx, connection, n)
}

// publish makes these backends the Pods of the Service greeter: in DNS, or
// wherever a bed with discovery keeps them.
func (b *bed) publish(ctx context.Context, backends []*backend) error {
	if b.greeter != nil {
		return b.greeter.becomes(ctx, backends...)
	}
	b.names.set(greeterName, addresses(backends)...)
	return nil
}

// warm makes calls until all the n backends have answered.
func (b *bed) warm(ctx context.Context, connection *grpc.ClientConn, n int) error {
	const limit = 15 * time.Second
	seen := spread{}
	var last error
	_, err := until(ctx, limit, func() bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		reply, err := say(ctx, connection, ask{})
		if err != nil {
			last = err
			return false
		}
		seen[reply.Backend]++
		return len(seen) >= n
	})
	if err != nil {
		return fmt.Errorf("%d of %d backends answer: %w (%w)", len(seen), n, err, last)
	}
	return nil
}

// pick is a number for the long form and one for the short.
func pick[T any](b *bed, long, short T) T {
	if b.short {
		return short
	}
	return long
}

package main

import (
	"context"
)

// showBalance shows the problem and the cure.
func showBalance(ctx context.Context, b *bed) error {
	backends, err := b.start(ctx, 4)
	if err != nil {
		return err
	}
	b.names.set(greeterName, addresses(backends)...)
	if err := b.showProblem(ctx, backends); err != nil {
		return err
	}
	p, err := b.startPod(ctx, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	if err := waitAlias(ctx, greeterService, p.Spec.HostAliases[0].IP); err != nil {
		return err
	}
	return b.showCure(ctx, backends)
}

// showProblem shows what becomes of one connection without the sidecar.
func (b *bed) showProblem(ctx context.Context, backends []*backend) error {
	const calls = 1000
	if err := b.writePodFiles(namespace, nil); err != nil {
		return err
	}
	connection, err := dial(greeterTarget)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	seen, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) {
		return callKinds()[0].call(ctx, connection)
	})
	if err != nil {
		return err
	}
	b.row(len(seen) == 1 && seen.total() == calls, "without the sidecar: one connection, 4 backends", "one gets everything", "%s", seen.show(backends))
	return nil
}

// showCure shows every kind of call, from two stacks.
func (b *bed) showCure(ctx context.Context, backends []*backend) error {
	const wanted = "each within 10 % of even"
	calls := pick(b, 10_000, 5000)
	connection, err := dial(greeterTarget)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	for _, kind := range callKinds() {
		seen, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return kind.call(ctx, connection) })
		if err != nil {
			return err
		}
		b.row(seen.even(backends), "grpc-go, "+kind.name, wanted, "%s of %d", seen.show(backends), seen.total())
	}
	for i, kind := range callKinds() {
		if b.short && i != 0 && i != 3 {
			continue
		}
		seen, err := b.callPython(ctx, greeterTarget, kind.name, calls)
		if err != nil {
			return err
		}
		b.row(seen.even(backends), "Python grpcio, "+kind.name, wanted, "%s of %d", seen.show(backends), seen.total())
	}
	return nil
}

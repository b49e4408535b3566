package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// otherPort is the port of Services whose Pods listen on another.
const otherPort = 8000

// The zones of endpoints with hints, the client's and another.
const (
	ownZone   = "zone-a"
	otherZone = "zone-b"
)

// kind is a Service of some kind and who is behind it.
type kind struct {
	service *service
	what    string
	// expected are the backends that shall be given requests.
	expected []*backend
	// publish writes its slices.
	publish func(ctx context.Context, k kind) error
}

// showKinds balances over every kind of Service.
func showKinds(ctx context.Context, b *bed) error {
	kinds, err := b.makeKinds(ctx)
	if err != nil {
		return err
	}
	var list []string
	for _, k := range kinds {
		if err := k.service.create(ctx); err != nil {
			return err
		}
		if err := k.publish(ctx, k); err != nil {
			return err
		}
		list = append(list, fmt.Sprintf("%s:%d", k.service.name, k.service.port))
	}
	if err := b.showPinned(ctx, kinds[0]); err != nil {
		return err
	}
	b.zone = ownZone
	p, err := b.startPodBeside(ctx, upstreams(list...), b.policy)
	if err != nil {
		return err
	}
	for i, k := range kinds {
		if err := b.showKind(ctx, p, i, k); err != nil {
			return err
		}
	}
	return nil
}

// showPinned shows what becomes of a ClusterIP without discovery.
func (b *bed) showPinned(ctx context.Context, k kind) error {
	const calls = 1000
	patched, _, err := patch(upstreams("before:9100="+greeterTarget), b.withoutDiscovery())
	if err != nil {
		return err
	}
	p, err := b.run(ctx, patched)
	if err != nil {
		return err
	}
	if err := p.waitStarted(ctx); err != nil {
		return err
	}
	seen, err := b.callAlias(ctx, p, 0, 9100, calls)
	if err != nil {
		return err
	}
	b.row(len(seen) == 1 && seen.total() == calls, "from DNS alone: "+k.what, "one gets everything", "%s", seen.show(k.expected))
	return p.stop()
}

// callAlias makes calls to the i-th name of a Pod over one connection.
func (b *bed) callAlias(ctx context.Context, p *pod, i, port, calls int) (spread, error) {
	connection, err := p.dial(i, port)
	if err != nil {
		return nil, err
	}
	defer hangUp(connection)
	return collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
}

// dial connects to the i-th name of the Pod, at the address that its hosts file
// has.
func (p *pod) dial(i, port int) (*grpc.ClientConn, error) {
	return dial(fmt.Sprintf("%s:%d", p.Spec.HostAliases[i].IP, port))
}

// showKind makes calls from the first moment on, and looks whether any went to
// what DNS names.
func (b *bed) showKind(ctx context.Context, p *pod, i int, k kind) error {
	const calls = 4000
	seen, err := b.callAlias(ctx, p, i, int(k.service.port), calls)
	if err != nil {
		return fmt.Errorf("%s: %w", k.what, err)
	}
	exported, err := p.stats(ctx)
	if err != nil {
		return err
	}
	byDNS := exported.sum(requestsMetric, fmt.Sprintf(`"%s_%s_%d|dns"`, k.service.name, k.service.namespace, k.service.port))
	b.row(seen.even(k.expected) && byDNS == 0, "with discovery: "+k.what, "each within 10 % of even, none through DNS",
		"%s of %d, %.0f through DNS", seen.show(k.expected), seen.total(), byDNS)
	return nil
}

// makeKinds starts the backends of all kinds of Services.
func (b *bed) makeKinds(ctx context.Context) ([]kind, error) {
	backends, err := b.start(ctx, 4)
	if err != nil {
		return nil, err
	}
	moved, err := b.start(ctx, 2, "--port", "9001")
	if err != nil {
		return nil, err
	}
	var six []*backend
	for i := range 3 {
		be, err := startAt(ctx, netip.MustParseAddr(fmt.Sprintf("fd00:10:244::%d", i+1)))
		if err != nil {
			return nil, err
		}
		six = append(six, be)
	}
	here := func(name string, port int32) *service {
		return &service{bed: b, name: name, namespace: namespace, port: port}
	}
	clusterIP := here(greeterService, grpcPort)
	clusterIP.ip = greeterIP
	named := here("named", otherPort)
	named.ip = greeterIP.Next()
	manual := here("manual", otherPort)
	manual.ip, manual.manual = named.ip.Next(), true
	dual := here("dual", grpcPort)
	dual.ip, dual.families = manual.ip.Next(), []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	zonal := here("zonal", grpcPort)
	zonal.ip = dual.ip.Next()
	first6 := here("first-6", grpcPort)
	first6.families = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}

	plainly := func(ctx context.Context, k kind) error { return k.service.becomes(ctx, k.expected...) }
	return []kind{
		{clusterIP, "ClusterIP, 4 Pods", backends, plainly},
		{here("headless", grpcPort), "headless, 4 Pods", backends, plainly},
		{named, "a named target port, 9000 in 2 Pods and 9001 in 2", slices.Concat(backends[:2], moved), publishMoved},
		{manual, "no selector, slices made by hand, no conditions", backends[1:], publishByHand},
		{zonal, "zone hints, half of 4 Pods for the client's zone", backends[:2], publishHints(backends[2:])},
		{dual, "dual-stack, IPv4 first", backends, publishBoth(six, true)},
		{first6, "dual-stack, headless, IPv6 first", six, publishBoth(backends, false)},
	}, nil
}

// publishMoved writes what a rollout that changes the number of a named port
// leaves: a slice for each number.
func publishMoved(ctx context.Context, k kind) error {
	before, after := k.service.slice("before", k.expected[:2]...), k.service.slice("after", k.expected[2:]...)
	after.Ports[0].Port = new(int32(9001))
	if err := k.service.write(ctx, before, after); err != nil {
		return err
	}
	return k.service.lead(ctx, k.expected[0].port(grpcPort), k.expected[1].port(grpcPort), k.expected[2].port(9001), k.expected[3].port(9001))
}

// publishByHand writes a slice as one does by hand: with no more than what must
// be there.
func publishByHand(ctx context.Context, k kind) error {
	slice := k.service.slice("by-hand", k.expected...)
	slice.Ports = []discoveryv1.EndpointPort{{Name: new(portName), Port: new(int32(grpcPort))}}
	for i := range slice.Endpoints {
		slice.Endpoints[i].Conditions = discoveryv1.EndpointConditions{}
	}
	if err := k.service.write(ctx, slice); err != nil {
		return err
	}
	return k.service.tellOthers(ctx, k.expected...)
}

// publishHints writes a slice in which each endpoint is for a zone: the expected
// ones for the client's, the others for another.
func publishHints(others []*backend) func(context.Context, kind) error {
	return func(ctx context.Context, k kind) error {
		all := slices.Concat(k.expected, others)
		slice := k.service.slice("all", all...)
		for i := range slice.Endpoints {
			zone := otherZone
			if i < len(k.expected) {
				zone = ownZone
			}
			slice.Endpoints[i].Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
		}
		if err := k.service.write(ctx, slice); err != nil {
			return err
		}
		return k.service.tellOthers(ctx, all...)
	}
}

// publishBoth writes a slice of the expected backends and one of the same Pods'
// addresses in the other family.
func publishBoth(others []*backend, clusterIP bool) func(context.Context, kind) error {
	return func(ctx context.Context, k kind) error {
		if err := k.service.write(ctx, k.service.slice("one", k.expected...), k.service.slice("other", others...)); err != nil {
			return err
		}
		if clusterIP {
			return k.service.tellOthers(ctx, k.expected...)
		}
		return k.service.tellOthers(ctx, slices.Concat(k.expected, others)...)
	}
}

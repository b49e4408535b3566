package envoy

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// greeterResource is what discovery calls the upstream of these tests.
const greeterResource = "shop/greeter:9000"

// pod is a server that counts its calls.
type pod struct {
	at     netip.AddrPort
	calls  atomic.Int64
	open   atomic.Int64 // connections that speak HTTP/2
	while  atomic.Int64 // how long a call takes, as a time.Duration
	server *grpc.Server
}

// runPods starts a server at each address, all on one port.
func runPods(t *testing.T, addresses ...string) []*pod {
	t.Helper()
	port := samePort(t, addresses...)
	var all []*pod
	for _, a := range addresses {
		p := &pod{at: netip.AddrPortFrom(netip.MustParseAddr(a), port)}
		p.run(t)
		all = append(all, p)
	}
	return all
}

// run starts the Pod's server.
func (p *pod) run(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.at.String())
	if err != nil {
		t.Fatal(err)
	}
	p.server = grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		p.calls.Add(1)
		select {
		case <-time.After(time.Duration(p.while.Load())):
		case <-stream.Context().Done():
		}
		if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
			return err
		}
		return stream.SendMsg(new(emptypb.Empty))
	}), grpc.StatsHandler(connections{&p.open}))
	server := p.server
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
}

// connections counts those that are open.
type connections struct{ open *atomic.Int64 }

func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (connections) HandleRPC(context.Context, stats.RPCStats)                         {}

func (c connections) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		c.open.Add(1)
	case *stats.ConnEnd:
		c.open.Add(-1)
	}
}

// kill ends the server: connections to it are refused.
func (p *pod) kill() { p.server.Stop() }

func addrPorts(pods ...*pod) []netip.AddrPort {
	var all []netip.AddrPort
	for _, p := range pods {
		all = append(all, p.at)
	}
	return all
}

// client is an application beside a sidecar that follows discovery.
type client struct {
	proxy  *proxy
	listen netip.AddrPort
	conn   *grpc.ClientConn
}

// startClient runs a sidecar with one upstream: discovery calls it greeterResource,
// and DNS names the given Pod, at whose port all others are.
func startClient(t *testing.T, d *discovery, named *pod, changes ...func(*bootstrapv3.Bootstrap)) client {
	t.Helper()
	return startClientOf(t, d, named, envoy.HTTP, changes...)
}

func startClientOf(t *testing.T, d *discovery, named *pod, protocol envoy.Protocol, changes ...func(*bootstrapv3.Bootstrap)) client {
	t.Helper()
	c := client{listen: listenAt(t, "127.0.51.1")}
	b := bootstrapOf(t, d, c.listen, named.at.Port(), protocol)
	for _, change := range changes {
		change(b)
	}
	askNameserver(t, b, nameserver(t, map[string][]netip.Addr{
		"greeter.shop.svc.cluster.local.": {named.at.Addr()},
		discoveryName + ".cluster.local.": {d.at.Addr()},
	}))
	c.proxy = startTimed(t, b)
	c.conn = dial(t, c.listen)
	return c
}

// dial connects an application to its sidecar.
func dial(t *testing.T, listen netip.AddrPort) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+listen.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(conn) })
	return conn
}

// bootstrapOf is that of a sidecar with one upstream.
func bootstrapOf(t *testing.T, d *discovery, listen netip.AddrPort, port uint16, protocol envoy.Protocol) *bootstrapv3.Bootstrap {
	t.Helper()
	b, err := envoy.Bootstrap(envoy.Config{
		MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue),
		Discovery:   d.policy(),
		Upstreams: []envoy.Upstream{{
			Name: "greeter.shop:9000", Listen: listen, Algorithm: envoy.LeastRequest, Protocol: protocol, Retries: 5,
			Members: envoy.Members{Host: "greeter.shop.svc.cluster.local.", Port: port, Refresh: time.Second, Resource: greeterResource},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func startTimed(t *testing.T, b *bootstrapv3.Bootstrap) *proxy {
	t.Helper()
	began := time.Now()
	p := start(t, b, "127.0.0.1")
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	return p
}

// call makes one call.
func (c client) call(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return c.conn.Invoke(ctx, "/shop.Greeter/Greet", new(emptypb.Empty), new(emptypb.Empty))
}

// calls makes some, each of which has to work.
func (c client) calls(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if err := c.call(t.Context()); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

// reached says which of the Pods were called since it was asked last.
func reached(pods []*pod) []int64 {
	var all []int64
	for _, p := range pods {
		all = append(all, p.calls.Swap(0))
	}
	return all
}

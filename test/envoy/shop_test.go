package envoy

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// shop is a sidecar in trouble of every kind: one of greeter's Pods fails, one
// has gone, nobody is behind empty, DNS fails about lost, the only Pod of gone has
// gone and no retry is allowed to it, ledger is no HTTP, and so is silent, which
// should have said so. Of outside only DNS knows, and what discovery says of bad
// no Envoy takes.
type shop struct {
	proxy                                         *proxy
	greeter, empty, gone, outside, ledger, silent netip.AddrPort // where the sidecar listens
}

// openShop opens one that has its members from DNS, or, where d is given, from
// this discovery with DNS behind it.
func openShop(t *testing.T, d *discovery) shop {
	t.Helper()
	port := samePort(t, "127.0.30.1", "127.0.30.2", "127.0.30.3", "127.0.30.4", "127.0.31.1")
	serveGRPC(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.30.1"), port), codes.OK)
	serveGRPC(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.30.2"), port), codes.OK)
	serveGRPC(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.30.3"), port), codes.Unavailable)
	serveEcho(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.31.1"), port))

	s := shop{
		greeter: listenAt(t, "127.0.29.1"), empty: listenAt(t, "127.0.29.2"), gone: listenAt(t, "127.0.29.3"),
		ledger: listenAt(t, "127.0.29.4"), silent: listenAt(t, "127.0.29.5"), outside: listenAt(t, "127.0.29.7"),
	}
	config := envoy.Config{MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue)}
	if d != nil {
		config.Discovery = d.policy()
	}
	upstream := func(name string, listen netip.AddrPort, p envoy.Protocol) envoy.Upstream {
		u := envoy.Upstream{
			Name: name, Listen: listen, Algorithm: envoy.LeastRequest, Protocol: p, Retries: 5,
			Members: envoy.Members{Host: name[:len(name)-len(":9000")] + ".svc.cluster.local.", Port: port, Refresh: time.Second},
		}
		if d != nil {
			u.Members.Resource = resourceOf(name)
		}
		return u
	}
	config.Upstreams = []envoy.Upstream{
		upstream("greeter.shop:9000", s.greeter, envoy.Auto),
		upstream("empty.shop:9000", s.empty, envoy.HTTP),
		upstream("gone.shop:9000", s.gone, envoy.HTTP),
		upstream("lost.shop:9000", listenAt(t, "127.0.29.6"), envoy.HTTP),
		upstream("ledger.bank:9000", s.ledger, envoy.TCP),
		upstream("silent.shop:9000", s.silent, envoy.Auto),
		upstream("outside.shop:9000", s.outside, envoy.HTTP),
		upstream("bad.shop:9000", listenAt(t, "127.0.29.8"), envoy.HTTP),
	}
	b, err := envoy.Bootstrap(config)
	if err != nil {
		t.Fatal(err)
	}
	hurry(b)
	allowNoRetries(b, "gone.shop:9000")
	zone := map[string][]netip.Addr{
		"greeter.shop.svc.cluster.local.": {
			netip.MustParseAddr("127.0.30.1"), netip.MustParseAddr("127.0.30.2"),
			netip.MustParseAddr("127.0.30.3"), netip.MustParseAddr("127.0.30.4"), // nobody is at .4
		},
		"gone.shop.svc.cluster.local.":    {netip.MustParseAddr("127.0.30.4")},
		"lost.shop.svc.cluster.local.":    nil,
		"ledger.bank.svc.cluster.local.":  {netip.MustParseAddr("127.0.31.1")},
		"silent.shop.svc.cluster.local.":  {netip.MustParseAddr("127.0.31.1")},
		"outside.shop.svc.cluster.local.": {netip.MustParseAddr("127.0.30.1")},
	}
	if d != nil {
		for _, name := range []string{"greeter.shop", "gone.shop", "ledger.bank", "silent.shop", "empty.shop"} {
			d.tell(t, resourceOf(name+":9000"), at(zone[name+".svc.cluster.local."], port)...)
		}
		zone[discoveryName+".cluster.local."] = []netip.Addr{d.at.Addr()}
	}
	askNameserver(t, b, nameserver(t, zone))
	s.proxy = start(t, b, "127.0.0.1")
	return s
}

// resourceOf is what discovery calls an upstream: shop/greeter:9000 for
// greeter.shop:9000.
func resourceOf(upstream string) string {
	host, port, _ := strings.Cut(upstream, ":")
	service, namespace, _ := strings.Cut(host, ".")
	return namespace + "/" + service + ":" + port
}

// at are some addresses with a port.
func at(addresses []netip.Addr, port uint16) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range addresses {
		all = append(all, netip.AddrPortFrom(a, port))
	}
	return all
}

// hurry shortens the time in which a connection may stay silent.
func hurry(b *bootstrapv3.Bootstrap) {
	for _, l := range b.GetStaticResources().GetListeners() {
		if l.GetListenerFiltersTimeout() != nil {
			l.ListenerFiltersTimeout = durationpb.New(200 * time.Millisecond)
		}
	}
}

// allowNoRetries sets the budget for retries of one upstream to nothing.
func allowNoRetries(b *bootstrapv3.Bootstrap, upstream string) {
	for _, c := range b.GetStaticResources().GetClusters() {
		if name, _, _ := strings.Cut(c.GetName(), "|"); name == upstream {
			budget := c.GetCircuitBreakers().GetThresholds()[0].GetRetryBudget()
			budget.BudgetPercent, budget.MinRetryConcurrency = &typev3.Percent{}, wrapperspb.UInt32(0)
		}
	}
}

// samePort is a port that is free at all these addresses.
func samePort(t *testing.T, addresses ...string) uint16 {
	t.Helper()
search:
	for range 100 {
		port := uint16(freePort(t, addresses[0]).PortValue)
		for _, a := range addresses[1:] {
			l, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr(a), port).String())
			if err != nil {
				continue search
			}
			l.Close()
		}
		return port
	}
	t.Fatal("no port is free at all addresses")
	return 0
}

func listenAt(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	return netip.AddrPortFrom(netip.MustParseAddr(address), uint16(freePort(t, address).PortValue))
}

// serveGRPC runs a server that answers with this code.
func serveGRPC(t *testing.T, at netip.AddrPort, code codes.Code) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(
		func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if code != codes.OK {
				return nil, status.Error(code, "as the test wants it")
			}
			return handle(ctx, request)
		}))
	healthv1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
}

// serveEcho runs a server that says what it hears.
func serveEcho(t *testing.T, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer hangUp(conn)
				_, _ = io.Copy(conn, conn) // until the other side is gone
			}()
		}
	}()
}

// visit has each upstream asked, until the context ends.
func (s shop) visit(ctx context.Context, t *testing.T) {
	t.Helper()
	clients := map[netip.AddrPort]healthv1.HealthClient{}
	for _, at := range []netip.AddrPort{s.greeter, s.empty, s.gone, s.outside} {
		conn, err := grpc.NewClient("passthrough:///"+at.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { hangUp(conn) })
		clients[at] = healthv1.NewHealthClient(conn)
	}
	for ctx.Err() == nil {
		for _, c := range clients {
			call, cancel := context.WithTimeout(ctx, time.Second)
			_, _ = c.Check(call, &healthv1.HealthCheckRequest{}) // the sidecar counts
			cancel()
		}
		for _, at := range []netip.AddrPort{s.ledger, s.silent} {
			talk(at)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// talk has one connection echo a line, whatever comes of it. On an upstream
// whose protocol is found out the silence before it is longer than Envoy waits.
func talk(at netip.AddrPort) {
	conn, err := net.DialTimeout("tcp", at.String(), time.Second)
	if err != nil {
		return
	}
	defer hangUp(conn)
	_ = conn.SetDeadline(time.Now().Add(400 * time.Millisecond)) // of a TCP socket
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("hello\n")); err == nil {
		_, _ = conn.Read(make([]byte, 16)) // the sidecar counts
	}
}

// hangUp closes a connection; that it was closed already is no news here.
func hangUp(c io.Closer) { c.Close() }

package envoy

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// Both kinds of health checks leave a Pod out that would have answered: by gRPC
// the one that says so, by TCP the one that nobody can connect to.
func TestHealthChecksLeaveOutWhoIsNotHealthy(t *testing.T) {
	const service = "shop.Greeter"
	for name, tc := range map[string]struct {
		check  envoy.HealthCheck
		status healthv1.HealthCheckResponse_ServingStatus
		served bool // whether anybody listens at the second Pod
	}{
		"gRPC, a service that is not serving": {envoy.HealthCheck{Kind: "grpc", Service: service}, healthv1.HealthCheckResponse_NOT_SERVING, true},
		"TCP, a Pod that does not listen":     {envoy.HealthCheck{Kind: "tcp"}, healthv1.HealthCheckResponse_SERVING, false},
	} {
		t.Run(name, func(t *testing.T) {
			port := samePort(t, "127.0.44.1", "127.0.44.2")
			pods := []netip.Addr{netip.MustParseAddr("127.0.44.1"), netip.MustParseAddr("127.0.44.2")}
			answers := make(chan netip.Addr, 1000)
			serveHealth(t, netip.AddrPortFrom(pods[0], port), service, healthv1.HealthCheckResponse_SERVING, answers)
			if tc.served {
				serveHealth(t, netip.AddrPortFrom(pods[1], port), service, tc.status, answers)
			}
			listen := listenAt(t, "127.0.45.1")
			b, err := envoy.Bootstrap(envoy.Config{
				MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue),
				Upstreams: []envoy.Upstream{{
					Name: "greeter.shop:9000", Listen: listen, Algorithm: envoy.RoundRobin, Protocol: envoy.HTTP, HealthCheck: tc.check,
					Members: envoy.Members{Host: "greeter.shop.svc.cluster.local.", Port: port, Refresh: time.Second},
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			askNameserver(t, b, nameserver(t, map[string][]netip.Addr{"greeter.shop.svc.cluster.local.": pods}))
			// Envoy is ready once every member was asked.
			start(t, b, "127.0.0.1")
			client, err := grpc.NewClient("passthrough:///"+listen.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer hangUp(client)
			const calls = 40
			for range calls {
				if err := client.Invoke(t.Context(), "/shop.Greeter/Greet", new(emptypb.Empty), new(emptypb.Empty)); err != nil {
					t.Fatal(err)
				}
			}
			for range calls {
				if by := <-answers; by != pods[0] {
					t.Errorf("%s answered, which is not healthy", by)
				}
			}
		})
	}
}

// serveHealth runs a server that says this about the service's health, and
// answers every other call with nothing.
func serveHealth(t *testing.T, at netip.AddrPort, service string, status healthv1.HealthCheckResponse_ServingStatus, answers chan<- netip.Addr) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if p, ok := peer.FromContext(stream.Context()); ok {
			answers <- netip.MustParseAddrPort(p.LocalAddr.String()).Addr()
		}
		return stream.SendMsg(new(emptypb.Empty))
	}))
	h := health.NewServer()
	h.SetServingStatus(service, status)
	healthv1.RegisterHealthServer(s, h)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
}

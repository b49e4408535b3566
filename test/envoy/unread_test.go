package envoy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// An application may open streams faster than it reads them. They may fill
// neither the sidecar's memory nor the window of the connection that all calls to
// a backend share: the calls beside them have to be answered.
func TestStreamsThatNobodyReadsStopNoOtherCall(t *testing.T) {
	port := samePort(t, "127.0.40.1", "127.0.40.2")
	pods := []netip.Addr{netip.MustParseAddr("127.0.40.1"), netip.MustParseAddr("127.0.40.2")}
	for _, pod := range pods {
		serveFlood(t, netip.AddrPortFrom(pod, port))
	}
	listen := listenAt(t, "127.0.41.1")
	b, err := envoy.Bootstrap(envoy.Config{
		MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue),
		Upstreams: []envoy.Upstream{{
			Name: "greeter.shop:9000", Listen: listen, Algorithm: envoy.RoundRobin, Protocol: envoy.HTTP, Retries: 5,
			Members: envoy.Members{Host: "greeter.shop.svc.cluster.local.", Port: port, Refresh: time.Second},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	askNameserver(t, b, nameserver(t, map[string][]netip.Addr{"greeter.shop.svc.cluster.local.": pods}))
	p := start(t, b, "127.0.0.1")
	client, err := grpc.NewClient("passthrough:///"+listen.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(client)

	const unread, calls = 100, 20
	for range unread {
		flood(t.Context(), t, client)
	}
	time.Sleep(2 * time.Second) // the servers send what they can
	t.Logf("beside %d streams that nobody reads the sidecar has %s", unread, p.memory(t))
	for range calls {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := flood(ctx, t, client).RecvMsg(new(wrapperspb.BytesValue)); err != nil {
			t.Fatalf("a call beside them: %v", err)
		}
		cancel()
	}
}

// serveFlood runs a server that sends messages of 64 KiB for as long as it can.
func serveFlood(t *testing.T, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	message := &wrapperspb.BytesValue{Value: make([]byte, 64<<10)}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for {
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		}
	}))
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
}

// flood asks for such a stream.
func flood(ctx context.Context, t *testing.T, client *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	stream, err := client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/test.Flood/Flood")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(new(wrapperspb.BytesValue)); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return stream
}

// memory is what Envoy alone uses of the machine's.
func (p *proxy) memory(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatal("no RssAnon in the status of the process")
	return ""
}

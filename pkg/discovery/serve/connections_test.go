package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAConnectionHasNoMoreThanItsStreams(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, b.pair.roots)
		for range 1000 {
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			go func() {
				stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
				if err == nil {
					_ = stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}})
				}
			}()
		}
		time.Sleep(time.Second)
		if n := b.metric("streams", ""); n != streamsPerConnection+1 {
			t.Errorf("%v streams are open, want those of one connection and the sidecar's", n)
		}
	})
}

func TestAnAddressOpensStreamsNoFasterThanSoMany(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, b.pair.roots)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		opened := 0
		for ctx.Err() == nil {
			stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
			if err != nil {
				continue
			}
			_ = stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{"*"}})
			if _, err := stream.Recv(); status.Code(err) == codes.InvalidArgument {
				opened++
			}
		}
		if most := opensAtOnce + 21*opensPerSecond; opened > most || opened < opensAtOnce {
			t.Errorf("%d streams were opened in 20 s, want about %d", opened, most)
		}
	})
}

func TestAnAddressHasNoMoreThanItsConnections(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		var open []*sidecar
		from := func(ctx context.Context, _ string) (net.Conn, error) { return b.network.dialFrom(ctx, "10.0.200.1") }
		for range connectionsPerAddress {
			s := newSidecar(t, connect(t, from, b.pair.roots), nil, greeter)
			s.settle(time.Second / opensPerSecond)
			s.knows(greeter, "10.244.0.1", "10.244.0.2")
			open = append(open, s)
		}
		raw, err := from(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Read(make([]byte, 1)); err == nil {
			t.Error("one connection more is served")
		}
		if n := b.metric("refused_total", "connections"); n != 1 {
			t.Errorf("%v connections were counted as refused, want 1", n)
		}
		for _, s := range open {
			s.close()
		}
		// An idle connection goes, and makes room.
		time.Sleep(2 * maxIdle)
		s := newSidecar(t, connect(t, from, b.pair.roots), nil, greeter)
		s.settle(moment)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
	})
}

func TestWhoeverDoesNotComeToTheProtocolIsCutOff(t *testing.T) {
	secure := func(t *testing.T, b *bubble, c net.Conn) *tls.Conn {
		s := tls.Client(c, &tls.Config{RootCAs: b.pair.roots, ServerName: serverName, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13})
		if err := s.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, tc := range map[string]struct {
		speak func(*testing.T, *bubble, net.Conn) io.Reader
		// within is when it must be gone.
		within  time.Duration
		counted reason
	}{
		"silence": {func(_ *testing.T, _ *bubble, c net.Conn) io.Reader { return c }, establishWithin + moment, handshake},
		"garbage": {func(_ *testing.T, _ *bubble, c net.Conn) io.Reader {
			_, _ = c.Write(bytes.Repeat([]byte("garbage\r\n"), 1000))
			return c
		}, moment, handshake},
		"a hello of TLS, and then silence": {func(_ *testing.T, _ *bubble, c net.Conn) io.Reader {
			_, _ = c.Write([]byte{22, 3, 1, 2, 0, 1})
			return c
		}, establishWithin + moment, handshake},
		"HTTP without TLS": {func(_ *testing.T, _ *bubble, c net.Conn) io.Reader {
			_, _ = c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
			return c
		}, moment, handshake},
		"TLS, and then silence": {func(t *testing.T, b *bubble, c net.Conn) io.Reader { return secure(t, b, c) }, establishWithin + moment, ""},
		"TLS, and then HTTP/1": {func(t *testing.T, b *bubble, c net.Conn) io.Reader {
			s := secure(t, b, c)
			_, _ = s.Write([]byte("GET / HTTP/1.1\r\nHost: discovery\r\n\r\n"))
			return s
		}, moment, ""},
		"HTTP/2 without a stream": {func(t *testing.T, b *bubble, c net.Conn) io.Reader {
			s := secure(t, b, c)
			_, _ = s.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
			return s
		}, maxIdle + pingTimeout + 10*time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			besides(t, func(t *testing.T, b *bubble) {
				c, err := b.network.dial(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close() //nolint:errcheck // it was cut off
				started := time.Now()
				_, _ = io.Copy(io.Discard, tc.speak(t, b, c))
				if took := time.Since(started); took > tc.within {
					t.Errorf("it was cut off after %v, want at most %v", took, tc.within)
				}
				synctest.Wait()
				if tc.counted != "" && b.metric("refused_total", string(tc.counted)) != 1 {
					t.Errorf("it was not counted as %s", tc.counted)
				}
			})
		})
	}
}

func TestAClientThatTrustsAnotherCAIsCounted(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, newPair(t).roots)
		_, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(t.Context())
		if status.Code(err) != codes.Unavailable {
			t.Errorf("the stream ended with %v", err)
		}
		synctest.Wait()
		if n := b.metric("refused_total", "handshake"); n < 1 {
			t.Error("it was not counted")
		}
	})
}

package serve

import (
	"testing"
	"testing/synctest"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

func TestAStreamIsMovedWhenItsConnectionIsOld(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		started := time.Now()
		err := <-s.ended
		// grpc adds or takes a tenth.
		if lasted := time.Since(started); lasted < 27*time.Minute || lasted > 33*time.Minute+ageGrace+time.Second {
			t.Errorf("it ended after %v: %v", lasted, err)
		}
		back := b.sidecar(s.versions, greeter)
		if got := back.settle(moment); len(got) > 0 {
			t.Errorf("it was told %v again", got)
		}
	})
}

func TestAStoppedServerEndsItsStreamsAtOnce(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		started := time.Now()
		b.stop()
		if took := time.Since(started); took >= stopWithin {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if len(s.ended) == 0 {
			t.Error("the stream goes on")
		}
		if err := b.server.Ready(); err == nil {
			t.Error("it says that it is ready")
		}
	})
}

func TestAServerStopsWithinTwoSecondsWhateverItsClientsDo(t *testing.T) {
	inBubble(t, func(c *cluster) {
		c.service("greeter")
		c.slice("greeter", "greeter-a", pods(0, 5000)...)
	}, func(t *testing.T, b *bubble) {
		// It never reads: the answer does not fit its window.
		stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(
			connect(t, b.network.dial, b.pair.roots, grpc.WithStaticStreamWindowSize(64<<10))).DeltaAggregatedResources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}}); err != nil {
			t.Fatal(err)
		}
		// It opens a connection and says nothing.
		if _, err := b.network.dial(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		started := time.Now()
		b.stop()
		if took := time.Since(started); took > stopWithin {
			t.Errorf("it took %v, want at most %v", took, stopWithin)
		}
	})
}

func TestAServerThatStopsBeforeAllIsKnownJustStops(t *testing.T) {
	inBubble(t, func(c *cluster) { switchable(c, "services").off.Store(true) }, func(t *testing.T, b *bubble) {
		time.Sleep(time.Second)
		b.stop()
		if err := b.server.Ready(); err == nil {
			t.Error("it says that it is ready")
		}
	})
}

func TestAClientThatIsGoneWithoutAWordIsFound(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		b.network.cut()
		time.Sleep(pingAfter + pingTimeout + time.Second)
		if n := b.metric("streams", ""); n != 0 {
			t.Errorf("%v streams are open to nobody", n)
		}
	})
}

// Envoy pings each 15 seconds, whether or not it has a stream.
func TestAnEnvoysPingsAreWelcome(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, b.pair.roots, pinging(15*time.Second))
		s := newSidecar(t, connection, nil, greeter)
		s.settle(10 * time.Minute)
		b.slice("greeter", "greeter-a", "10.244.0.5")
		s.settle(pushed)
		s.knows(greeter, "10.244.0.5")
		if len(s.ended) > 0 {
			t.Errorf("the stream ended with %v", <-s.ended)
		}
	})
}

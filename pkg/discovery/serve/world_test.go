package serve

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

// world is an xDS client of the state-of-the-world form.
type world struct {
	t              *testing.T
	stream         discoverygrpc.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	names          []string
	version, nonce string
	told           map[string][]string
	answers        chan *discoverygrpc.DiscoveryResponse
	ended          chan error
}

// world connects a client that asks for names; version is what it knew before.
func (b *bubble) world(version string, names ...string) *world {
	b.t.Helper()
	w := openWorld(b.t, connect(b.t, b.network.dial, b.pair.roots))
	w.version = version
	w.ask(names...)
	return w
}

// openWorld opens a stream that asks for nothing yet.
func openWorld(t *testing.T, connection *grpc.ClientConn) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, stream: stream, told: map[string][]string{}, answers: make(chan *discoverygrpc.DiscoveryResponse, 1000), ended: make(chan error, 1)}
	go func() {
		for {
			answer, err := stream.Recv()
			if err != nil {
				w.ended <- err
				return
			}
			w.answers <- answer
		}
	}()
	return w
}

// ask asks for names, and acknowledges what came last.
func (w *world) ask(names ...string) {
	w.t.Helper()
	w.names = names
	err := w.stream.Send(&discoverygrpc.DiscoveryRequest{
		TypeUrl: resourcev3.EndpointType, ResourceNames: names, VersionInfo: w.version, ResponseNonce: w.nonce,
	})
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
}

// settle lets a time pass, and has the client take what came.
func (w *world) settle(d time.Duration) {
	w.t.Helper()
	time.Sleep(d)
	for {
		synctest.Wait()
		select {
		case answer := <-w.answers:
			w.take(answer)
		default:
			return
		}
	}
}

func (w *world) take(answer *discoverygrpc.DiscoveryResponse) {
	w.t.Helper()
	for _, r := range answer.GetResources() {
		var assignment endpointv3.ClusterLoadAssignment
		if err := r.UnmarshalTo(&assignment); err != nil {
			w.t.Fatal(err)
		}
		w.told[assignment.GetClusterName()] = addressesIn(w.t, &discoverygrpc.Resource{Name: assignment.GetClusterName(), Resource: r})
	}
	w.version, w.nonce = answer.GetVersionInfo(), answer.GetNonce()
	w.ask(w.names...)
}

func (w *world) knows(name string, addresses ...string) {
	w.t.Helper()
	told, ok := w.told[name]
	slices.Sort(addresses)
	if !ok || !slices.Equal(told, addresses) {
		w.t.Fatalf("%s is %v (answered: %t), want %v", name, told, ok, addresses)
	}
}

package serve

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointgrpc "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Each client here does harm to itself at most: a sidecar goes on beside it.
func besides(t *testing.T, hostile func(*testing.T, *bubble)) {
	t.Helper()
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		good := b.sidecar(nil, greeter)
		good.settle(moment)
		hostile(t, b)
		b.slice("greeter", "greeter-a", "10.244.0.5")
		good.settle(pushed)
		good.knows(greeter, "10.244.0.5")
		late := b.sidecar(nil, greeter)
		late.settle(moment)
		late.knows(greeter, "10.244.0.5")
	})
}

// names are so many that lead nowhere.
func manyNames(count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("shop/nobody-%d:9000", i))
	}
	return list
}

func TestRequestsThatAreRefusedEndTheirStream(t *testing.T) {
	endpoints := resourcev3.EndpointType
	for name, tc := range map[string]struct {
		requests []*deltaRequest
		code     codes.Code
		counted  reason
	}{
		"another type":               {[]*deltaRequest{{TypeUrl: resourcev3.ClusterType, ResourceNamesSubscribe: []string{greeter}}}, codes.InvalidArgument, otherType},
		"no type":                    {[]*deltaRequest{{ResourceNamesSubscribe: []string{greeter}}}, codes.InvalidArgument, otherType},
		"another type later":         {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{greeter}}, {TypeUrl: resourcev3.SecretType}}, codes.InvalidArgument, otherType},
		"101 names":                  {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: manyNames(101)}}, codes.ResourceExhausted, tooManyNames},
		"101 names in two requests":  {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: manyNames(100)}, {TypeUrl: endpoints, ResourceNamesSubscribe: []string{greeter}}}, codes.ResourceExhausted, tooManyNames},
		"101 names, never all":       {oneByOne(101), codes.ResourceExhausted, tooManyNames},
		"101 malformed names":        {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: strings.Split(strings.Repeat("x", 101), "")}, {TypeUrl: endpoints, ResourceNamesSubscribe: manyNames(100)}}, codes.ResourceExhausted, tooManyNames},
		"101 names to give up":       {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{greeter}, ResourceNamesUnsubscribe: manyNames(101)}}, codes.ResourceExhausted, tooManyNames},
		"101 known names":            {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{greeter}, InitialResourceVersions: versionsOf(manyNames(101))}}, codes.ResourceExhausted, tooManyNames},
		"a name of 321 bytes":        {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{strings.Repeat("x", 321)}}}, codes.InvalidArgument, nameTooLong},
		"a known name of 321 bytes":  {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{greeter}, InitialResourceVersions: map[string]string{strings.Repeat("x", 321): ""}}}, codes.InvalidArgument, nameTooLong},
		"a name of 1 MiB":            {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{strings.Repeat("x", 1<<20)}}}, codes.ResourceExhausted, requestTooLarge},
		"10,000 names":               {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: manyNames(10000)}}, codes.ResourceExhausted, requestTooLarge},
		"a node of a mebibyte":       {[]*deltaRequest{{TypeUrl: endpoints, Node: &corev3.Node{Id: strings.Repeat("x", 1<<20)}, ResourceNamesSubscribe: []string{greeter}}}, codes.ResourceExhausted, requestTooLarge},
		"a name that is not in UTF8": {[]*deltaRequest{{TypeUrl: endpoints, ResourceNamesSubscribe: []string{"\xff\xfe"}}}, codes.Internal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			besides(t, func(t *testing.T, b *bubble) {
				bad := openDelta(t, connect(t, b.network.dial, b.pair.roots))
				for _, r := range tc.requests {
					if err := bad.stream.Send(r); err != nil && tc.code == codes.Internal {
						return // what cannot be written cannot be sent
					}
					time.Sleep(moment)
				}
				// A limit on how fast requests are read holds the last ones up.
				time.Sleep(5 * time.Second)
				synctest.Wait()
				select {
				case err := <-bad.ended:
					if status.Code(err) != tc.code {
						t.Errorf("the stream ended with %v, want %v", err, tc.code)
					}
				default:
					t.Error("the stream goes on")
				}
				if tc.counted != "" && b.metric("refused_total", string(tc.counted)) != 1 {
					t.Errorf("it was not counted as %s", tc.counted)
				}
			})
		})
	}
}

// oneByOne asks for names one after the other and gives each up again.
func oneByOne(count int) []*deltaRequest {
	var requests []*deltaRequest
	for _, name := range manyNames(count) {
		requests = append(requests, &deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{name}},
			&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesUnsubscribe: []string{name}})
	}
	return requests
}

func versionsOf(names []string) map[string]string {
	versions := map[string]string{}
	for _, name := range names {
		versions[name] = "1"
	}
	return versions
}

func TestRequestsThatAreRefusedInTheOlderFormEndTheirStream(t *testing.T) {
	for name, tc := range map[string]struct {
		request *discoverygrpc.DiscoveryRequest
		code    codes.Code
	}{
		"another type":        {&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.ListenerType, ResourceNames: []string{greeter}}, codes.InvalidArgument},
		"101 names":           {&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: manyNames(101)}, codes.ResourceExhausted},
		"a name of 321 bytes": {&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: []string{strings.Repeat("x", 321)}}, codes.InvalidArgument},
		"a name of 1 MiB":     {&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: []string{strings.Repeat("x", 1<<20)}}, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			besides(t, func(t *testing.T, b *bubble) {
				bad := openWorld(t, connect(t, b.network.dial, b.pair.roots))
				if err := bad.stream.Send(tc.request); err != nil {
					t.Fatal(err)
				}
				time.Sleep(moment)
				synctest.Wait()
				select {
				case err := <-bad.ended:
					if status.Code(err) != tc.code {
						t.Errorf("the stream ended with %v, want %v", err, tc.code)
					}
				default:
					t.Error("the stream goes on")
				}
			})
		})
	}
}

func TestAMalformedNameIsUnansweredAndHarmsNoOther(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(map[string]string{"greeter": "1"}, "greeter", "shop/greeter:grpc", greeter)
		s.settle(time.Minute)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
		if len(s.told) > 1 || len(s.removed) > 0 {
			t.Errorf("it was told %v, and %v removed", s.told, s.removed)
		}
		if n := b.metric("refused_total", "malformed-name"); n != 2 {
			t.Errorf("%v malformed names were counted, want 2", n)
		}
	})
}

func TestOfOneServiceSoManyNamesAreToldEndpointsAndNoMore(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		var bad []*sidecar
		for i := range 5 {
			var zones []string
			for j := range maxNames {
				zones = append(zones, fmt.Sprintf("%s@zone-%d-%d", greeter, i, j))
			}
			bad = append(bad, b.sidecar(nil, zones...))
			bad[i].settle(moment)
		}
		for _, s := range bad[1:] {
			for name, told := range s.told {
				if len(told) > 0 {
					t.Errorf("%s is told %v", name, told)
				}
			}
		}
		if n := b.metric("empty_assignments", ""); n != 5*maxNames-maxVariants+1 {
			t.Errorf("%v of %d names are told no endpoints, want all but %d", n, 5*maxNames+1, maxVariants)
		}
		if n := b.metric("refused_total", "too-many-variants"); n != 5*maxNames-maxVariants+1 {
			t.Errorf("%v names were counted", n)
		}
		for _, s := range bad {
			s.close()
		}
		time.Sleep(moment)
	})
}

func TestASidecarThatComesBackAfterInventedZonesIsServed(t *testing.T) {
	inBubble(t, twoPods, func(_ *testing.T, b *bubble) {
		before := b.sidecar(nil, greeter, greeter+"@zone-x")
		before.settle(moment)
		b.restart(func() {})
		var zones []string
		for i := range maxNames {
			zones = append(zones, fmt.Sprintf("%s@zone-%d", greeter, i))
		}
		b.sidecar(nil, zones...).settle(moment)
		after := b.sidecar(before.versions, greeter, greeter+"@zone-x")
		after.settle(moment)
		b.slice("greeter", "greeter-a", "10.244.0.7")
		after.settle(pushed)
		after.knows(greeter, "10.244.0.7")
		// A zone that nothing knows of may be invented: its sidecar works from DNS,
		// and does not keep what it knew.
		after.knows(greeter + "@zone-x")
	})
}

func TestAClientThatNeverReadsIsSentNoMoreThanOneAnswer(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, b.pair.roots, grpc.WithStaticStreamWindowSize(64<<10))
		for range streamsPerConnection {
			stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			b.slice("greeter", "greeter-a", pods(i, 1000)...)
			time.Sleep(time.Second)
		}
		// One answer for each stream, and one for the sidecar and each change.
		if n := b.metric("pushes_total", ""); n > streamsPerConnection*2+21 {
			t.Errorf("%v answers were sent", n)
		}
	})
}

func TestAnAddressThatNeverReadsIsOwedNoMoreThanSoMuch(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		b.service("large")
		b.slice("large", "large-a", pods(0, 1000)...)
		names := []string{"shop/large:9000"}
		for i := range maxVariants - 1 {
			names = append(names, fmt.Sprintf("shop/large:9000@zone-%d", i))
		}
		var streams []*sidecar
		from := func(ctx context.Context, _ string) (net.Conn, error) { return b.network.dialFrom(ctx, "10.0.200.1") }
		for range 40 { // 1.5 MB each
			s := openUnread(t, connect(t, from, b.pair.roots, grpc.WithStaticStreamWindowSize(64<<10)))
			s.send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: names})
			streams = append(streams, s)
			time.Sleep(moment)
		}
		refused := b.metric("refused_total", "slow")
		if refused == 0 || refused == 40 {
			t.Errorf("%v of 40 streams were ended", refused)
		}
		for _, s := range streams {
			s.close()
		}
		time.Sleep(moment)
	})
}

func TestAFloodOfRequestsIsReadSlowly(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		bad := openDelta(t, connect(t, b.network.dial, b.pair.roots))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var answers int
		go func() {
			for range 100000 {
				// Each time the whole answer again.
				if bad.stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}}) != nil ||
					bad.stream.Send(&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesUnsubscribe: []string{greeter}}) != nil {
					return
				}
			}
		}()
		for ctx.Err() == nil {
			select {
			case <-bad.answers:
				answers++
			case <-ctx.Done():
			}
		}
		if most := requestsAtOnce/2 + 10*requestsPerSecond/2 + 1; answers > most {
			t.Errorf("%d answers in 10 s, want at most %d", answers, most)
		}
		bad.close()
	})
}

func TestOnlyAggregatedDiscoveryIsServed(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		connection := connect(t, b.network.dial, b.pair.roots)
		stream, err := endpointgrpc.NewEndpointDiscoveryServiceClient(connection).DeltaEndpoints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unimplemented {
			t.Errorf("the stream ended with %v", err)
		}
	})
}

func TestHeadersHaveABound(t *testing.T) {
	besides(t, func(t *testing.T, b *bubble) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-large", strings.Repeat("x", 1<<20))
		stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connect(t, b.network.dial, b.pair.roots)).DeltaAggregatedResources(ctx)
		if err == nil {
			_, err = stream.Recv()
		}
		if err == nil {
			t.Error("a mebibyte of headers was taken")
		}
	})
}

func TestARejectedAnswerIsCountedAndNotRepeated(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		time.Sleep(moment)
		answer := <-s.answers
		s.send(&deltaRequest{
			TypeUrl: resourcev3.EndpointType, ResponseNonce: answer.GetNonce(),
			ErrorDetail: status.New(codes.InvalidArgument, strings.Repeat("malformed IP address ", 1000)).Proto(),
		})
		if got := s.settle(time.Minute); len(got) > 0 {
			t.Errorf("it was told %v again", got)
		}
		if n := b.metric("rejected_total", ""); n != 1 {
			t.Errorf("%v rejections were counted", n)
		}
		b.slice("greeter", "greeter-a", "10.244.0.5")
		s.settle(pushed)
		s.knows(greeter, "10.244.0.5")
	})
}

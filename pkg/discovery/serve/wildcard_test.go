package serve

import (
	"strings"
	"testing"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// deltaRequest is a request of the delta form, of endpoints.
type deltaRequest = discoverygrpc.DeltaDiscoveryRequest

// The library answers each of these with all that anybody asked for, when it is
// left to itself.
func TestNobodyIsToldWhatOthersAskedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		requests []*deltaRequest
		// goes: it is no question for everything, and stays unanswered.
		goes bool
	}{
		"a first request without names":    {requests: []*deltaRequest{{}}},
		"without names, twice":             {requests: []*deltaRequest{{}, {}}},
		"names only among the known ones":  {requests: []*deltaRequest{{InitialResourceVersions: map[string]string{"shop/mine:1": "1"}}}},
		"an asterisk":                      {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{"*"}}}},
		"an asterisk behind a name":        {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{"shop/mine:1", "*"}}}},
		"an asterisk among the known ones": {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{"shop/mine:1"}, InitialResourceVersions: map[string]string{"*": "1"}}}},
		"an asterisk later":                {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{"shop/mine:1"}}, {ResourceNamesSubscribe: []string{"*"}}}},
		"an asterisk given up":             {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{"shop/mine:1"}, ResourceNamesUnsubscribe: []string{"*"}}}},
		"an empty name":                    {requests: []*deltaRequest{{ResourceNamesSubscribe: []string{""}}}},
		"everything given up, then nothing": {goes: true, requests: []*deltaRequest{
			{ResourceNamesSubscribe: []string{"shop/mine:1"}}, {ResourceNamesUnsubscribe: []string{"shop/mine:1"}}, {},
		}},
		"everything given up, then known names": {goes: true, requests: []*deltaRequest{
			{ResourceNamesSubscribe: []string{"shop/mine:1"}}, {ResourceNamesUnsubscribe: []string{"shop/mine:1"}},
			{InitialResourceVersions: map[string]string{greeter: "1"}},
		}},
		"others' names given up": {goes: true, requests: []*deltaRequest{
			{ResourceNamesSubscribe: []string{"shop/mine:1"}, ResourceNamesUnsubscribe: []string{greeter}}, {ResourceNamesUnsubscribe: []string{greeter}},
		}},
		"names that are patterns": {goes: true, requests: []*deltaRequest{{ResourceNamesSubscribe: []string{
			"shop/*:9000", "*/greeter:9000", "shop/greeter:*", "xdstp:///envoy.config.endpoint.v3.ClusterLoadAssignment/*", "shop/", "/", "shop/greeter", " *", "**",
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, twoPods, func(t *testing.T, b *bubble) {
				good := b.sidecar(nil, greeter)
				good.settle(moment)
				bad := openDelta(t, connect(t, b.network.dial, b.pair.roots))
				for _, r := range tc.requests {
					r.TypeUrl = resourcev3.EndpointType
					_ = bad.stream.Send(r) // the stream may have ended
					time.Sleep(moment)
				}
				b.slice("greeter", "greeter-a", "10.244.0.5")
				b.service("new")
				b.slice("new", "new-a", "10.244.7.7")
				b.learnsNothing(good, bad.answers, bad.ended, tc.goes)
			})
		})
	}
}

func TestNobodyIsToldWhatOthersAskedForInTheOlderForm(t *testing.T) {
	for name, requests := range map[string][][]string{
		"a first request without names": {{}},
		"an asterisk":                   {{"*"}},
		"an asterisk behind a name":     {{"shop/mine:1", "*"}},
		"a name, then none":             {{"shop/mine:1"}, {}},
		"a name, then an asterisk":      {{"shop/mine:1"}, {"*"}},
		"an empty name":                 {{""}},
	} {
		for _, version := range []string{"", "1"} {
			t.Run(name+", version "+version, func(t *testing.T) {
				inBubble(t, twoPods, func(t *testing.T, b *bubble) {
					good := b.sidecar(nil, greeter)
					good.settle(moment)
					bad := openWorld(t, connect(t, b.network.dial, b.pair.roots))
					for _, names := range requests {
						_ = bad.stream.Send(&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: names, VersionInfo: version})
						time.Sleep(moment)
					}
					b.slice("greeter", "greeter-a", "10.244.0.5")
					b.learnsNothing(good, bad.answers, bad.ended, false)
				})
			})
		}
	}
}

// learnsNothing says that a client was sent nothing with a resource in it, while
// another goes on; and that its stream was ended, unless it may go on.
func (b *bubble) learnsNothing(good *sidecar, answers any, ended chan error, goes bool) {
	b.t.Helper()
	good.settle(time.Minute)
	good.knows(greeter, "10.244.0.5")
	if n := b.server.names.cache.NumWildcardWatches(); n > 0 {
		b.t.Errorf("%d watches of everything", n)
	}
	var resources []any
	switch answers := answers.(type) {
	case chan *discoverygrpc.DeltaDiscoveryResponse:
		for len(answers) > 0 {
			answer := <-answers
			for _, r := range answer.GetResources() {
				resources = append(resources, r)
			}
			for _, name := range answer.GetRemovedResources() {
				resources = append(resources, name)
			}
		}
	case chan *discoverygrpc.DiscoveryResponse:
		for len(answers) > 0 {
			for _, r := range (<-answers).GetResources() {
				resources = append(resources, r)
			}
		}
	}
	if len(resources) > 0 {
		b.t.Errorf("it was told %v", resources)
	}
	select {
	case err := <-ended:
		if goes || status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "name what is wanted") {
			b.t.Errorf("the stream ended with %v", err)
		}
		if n := b.metric("refused_total", "wildcard"); n < 1 {
			b.t.Error("it was not counted")
		}
	default:
		if !goes {
			b.t.Error("the stream goes on")
		}
	}
}

package serve

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/metadata"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// everywhere is a cluster in which each Service exists, with one Pod.
type everywhere struct{}

func (everywhere) of(types.NamespacedName) (*corev1.Service, []*discoveryv1.EndpointSlice) {
	number := int32(1)
	return &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}},
		[]*discoveryv1.EndpointSlice{{
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Port: &number}},
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.1"}}},
		}}
}

// script is a stream whose requests are written beforehand; it notes what it is
// answered.
type script struct {
	ctx      context.Context
	requests []*deltaRequest
	answers  []*discoverygrpc.DeltaDiscoveryResponse
	// next hands out one request after the other, each when the one before has
	// been dealt with.
	next chan struct{}
}

func (s *script) Recv() (*deltaRequest, error) {
	select {
	case <-s.next:
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
	if len(s.requests) == 0 {
		return nil, io.EOF
	}
	r := s.requests[0]
	s.requests = s.requests[1:]
	return r, nil
}

func (s *script) Send(answer *discoverygrpc.DeltaDiscoveryResponse) error {
	s.answers = append(s.answers, answer)
	return nil
}

func (s *script) Context() context.Context { return s.ctx }

func (*script) SetHeader(metadata.MD) error  { return errors.ErrUnsupported }
func (*script) SendHeader(metadata.MD) error { return errors.ErrUnsupported }
func (*script) SetTrailer(metadata.MD)       {}
func (*script) SendMsg(any) error            { return errors.ErrUnsupported }
func (*script) RecvMsg(any) error            { return errors.ErrUnsupported }

// randomScript is what a client with bad intentions might send: the names of others
// and patterns, in any field and any order.
func randomScript(random *rand.Rand) (requests []*deltaRequest, named []string) {
	vocabulary := []string{"shop/mine:1", "shop/mine:2", "shop/secret:1", "shop/secret:1@", "shop/secret:1@zone-a", "*", "", "shop/*:1", "shop/secret", "xdstp://shop/*"}
	some := func() []string {
		var list []string
		for range random.IntN(4) {
			// The first ones more often: else few would come far.
			list = append(list, vocabulary[min(random.IntN(len(vocabulary)), random.IntN(len(vocabulary)))])
		}
		return list
	}
	for range 1 + random.IntN(6) {
		r := &deltaRequest{
			TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: some(), ResourceNamesUnsubscribe: some(),
			InitialResourceVersions: versionsOf(some()), ResponseNonce: []string{"", "1"}[random.IntN(2)],
		}
		requests = append(requests, r)
		named = append(named, r.GetResourceNamesSubscribe()...)
	}
	return requests, named
}

// Whatever a client sends, it is told of nothing that it did not name, and nothing
// stays behind when it has gone.
func TestWhateverAClientSendsItIsToldOfNothingThatItDidNotName(t *testing.T) {
	secret, err := resource.Parse("shop/secret:1")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for seed := range uint64(5000) {
		requests, named := randomScript(rand.New(rand.NewPCG(seed, 0)))
		m := newMetrics(prometheus.NewRegistry())
		held := newNames(nil, m, time.Now)
		held.watched = everywhere{}
		other, answered := held.ask("shop/secret:1", secret, false)
		if !answered {
			t.Fatal("there is no secret to tell")
		}
		answers := played(t, held, m, requests)
		for _, answer := range answers {
			for _, r := range answer.GetResources() {
				told++
				if !slices.Contains(named, r.GetName()) {
					t.Errorf("seed %d: it was told of %q", seed, r.GetName())
				}
			}
			if removed := answer.GetRemovedResources(); len(removed) > 0 {
				t.Errorf("seed %d: it was told that %q was removed", seed, removed)
			}
		}
		held.leave([]*name{other})
		if len(held.byText) > 0 || len(held.services) > 0 || held.cache.NumResources() > 0 || held.cache.NumWildcardWatches() > 0 {
			t.Errorf("seed %d: something stays behind: %v", seed, held.byText)
		}
	}
	if told < 1000 {
		t.Errorf("only %d names were told of in all: nothing was tried", told)
	}
}

// played sends requests one after the other and returns what was answered.
func played(t *testing.T, held *names, m *metrics, requests []*deltaRequest) []*discoverygrpc.DeltaDiscoveryResponse {
	t.Helper()
	service := newADS(t.Context(), held, m, newQuiet(logr.Discard(), time.Now), time.Now, gate{func(reason, net.Addr, error) {}, func(net.Addr, int) bool { return true }, nil})
	s := &script{ctx: t.Context(), requests: requests, next: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = service.delta.DeltaStreamHandler(s, resourcev3.AnyType)
	}()
	for range len(requests) + 1 {
		select {
		case s.next <- struct{}{}:
		case <-ended:
		}
	}
	<-ended
	return s.answers
}

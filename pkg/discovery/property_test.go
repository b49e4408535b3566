package discovery_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// asked is one name, and what there is to answer from.
type asked struct {
	name    resource.Name
	service *corev1.Service
	slices  []*discoveryv1.EndpointSlice
}

func (a asked) answer() discovery.Result { return discovery.Assign(a.name, a.service, a.slices) }

// eachAsked runs a check for many random questions and for those of testdata. It
// fails where hardly any of them is answered with endpoints.
func eachAsked(t *testing.T, check func(*testing.T, random, asked)) {
	t.Helper()
	r := random{rand.New(rand.NewPCG(1, 2))}
	const questions = 2000
	full := 0
	for range questions {
		a := asked{r.name(), r.service(), r.slices()}
		if len(members(a.answer().Assignment)) > 0 {
			full++
		}
		check(t, r, a)
		if t.Failed() {
			t.Fatalf("with the name %s, the Service %v and the slices %v", a.name, a.service, a.slices)
		}
	}
	if full < questions/5 {
		t.Fatalf("only %d of %d random questions were answered with endpoints", full, questions)
	}
	eachGolden(t, func(t *testing.T, _ string, g golden) {
		for _, name := range g.names {
			check(t, r, asked{name, g.service, g.slices})
		}
	})
}

func TestAnAnswerHoldsWhatEnvoyAndTheSlicesAllow(t *testing.T) {
	eachAsked(t, func(t *testing.T, _ random, a asked) { sound(t, a) })
}

func TestTheOrderOfSlicesAndOfEndpointsChangesNothing(t *testing.T) {
	eachAsked(t, func(t *testing.T, r random, a asked) {
		b := a.copied()
		r.Shuffle(len(b.slices), func(i, j int) { b.slices[i], b.slices[j] = b.slices[j], b.slices[i] })
		for _, s := range b.slices {
			r.Shuffle(len(s.Endpoints), func(i, j int) { s.Endpoints[i], s.Endpoints[j] = s.Endpoints[j], s.Endpoints[i] })
			r.Shuffle(len(s.Ports), func(i, j int) { s.Ports[i], s.Ports[j] = s.Ports[j], s.Ports[i] })
		}
		same(t, a.answer(), b.answer())
	})
}

func TestASliceThatIsSplitInTwoChangesNothing(t *testing.T) {
	eachAsked(t, func(t *testing.T, r random, a asked) {
		b := a.copied()
		for _, s := range b.slices {
			at := r.IntN(len(s.Endpoints) + 1)
			other := s.DeepCopy()
			other.Name += "-2"
			other.Endpoints, s.Endpoints = other.Endpoints[at:], s.Endpoints[:at]
			b.slices = append(b.slices, other)
		}
		same(t, a.answer(), b.answer())

		for _, s := range b.slices {
			s.Endpoints = nil
		}
		b.slices = append(b.slices, a.copied().slices...)
		same(t, a.answer(), b.answer())
	})
}

func TestStrippingAnObjectChangesNothing(t *testing.T) {
	eachAsked(t, func(t *testing.T, _ random, a asked) {
		b := a.copied()
		for range 2 { // the second time there is nothing to strip
			if b.service != nil {
				b.service = strip(t, b.service)
			}
			for i, s := range b.slices {
				b.slices[i] = strip(t, s)
			}
			same(t, a.answer(), b.answer())
		}
	})
}

func TestObjectsAreNotChanged(t *testing.T) {
	eachAsked(t, func(t *testing.T, _ random, a asked) {
		before := a.copied()
		a.answer()
		if !reflect.DeepEqual(before, a) {
			t.Error("Assign changed what it was given")
		}
	})
}

// sound checks what must hold of every answer.
func sound(t *testing.T, a asked) {
	t.Helper()
	result := a.answer()
	if !slices.Contains(discovery.Reasons(), result.Verdict.Reason) || result.Verdict.Text == "" {
		t.Errorf("the verdict %+v has no known reason or no text", result.Verdict)
	}
	if result.Assignment == nil {
		return
	}
	if err := result.Assignment.ValidateAll(); err != nil {
		t.Errorf("Envoy would reject the assignment: %v", err)
	}
	if got := result.Assignment.GetClusterName(); got != a.name.String() {
		t.Errorf("the assignment is for %q, want %q", got, a.name)
	}
	if got := result.Assignment.GetPolicy().GetOverprovisioningFactor().GetValue(); got != 10000 {
		t.Errorf("overprovisioning factor = %d, want 10000", got)
	}
	got := members(result.Assignment)
	if !slices.IsSortedFunc(got, netip.AddrPort.Compare) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("the endpoints %v are not in order, each once", got)
	}
	ready := 0
	for _, member := range got {
		there, isReady := a.said(member)
		if !there {
			t.Errorf("the endpoint %s is in none of the Service's slices", member)
		}
		if isReady {
			ready++
		}
	}
	if ready != 0 && ready != len(got) {
		t.Errorf("of the endpoints %v only %d are ready", got, ready)
	}
	if len(got) > 0 && (ready == 0) != (result.Verdict.Reason == discovery.Terminating) && result.Verdict.Reason != discovery.NotReachableByDNS {
		t.Errorf("%d of %d endpoints are ready, and the verdict is %+v", ready, len(got), result.Verdict)
	}
}

// said says whether the Service's slices hold an address, and whether it is ready
// at this port in any of them.
func (a asked) said(member netip.AddrPort) (there, ready bool) {
	for _, s := range a.slices {
		if s.Labels[discoveryv1.LabelServiceName] != a.name.Service || s.Namespace != a.name.Namespace || !a.leadsTo(s, member.Port()) {
			continue
		}
		for _, e := range s.Endpoints {
			if len(e.Addresses) == 0 {
				continue
			}
			if address, err := netip.ParseAddr(e.Addresses[0]); err == nil && address.Unmap() == member.Addr() {
				there = true
				ready = ready || e.Conditions.Ready == nil || *e.Conditions.Ready
			}
		}
	}
	return there, ready
}

// leadsTo says whether the name may mean this port of a slice's endpoints.
func (a asked) leadsTo(s *discoveryv1.EndpointSlice, port uint16) bool {
	verbatim := a.service.Spec.ClusterIP == corev1.ClusterIPNone && port == a.name.Port
	if verbatim && len(a.service.Spec.Ports) == 0 {
		return true
	}
	tcp := func(p corev1.Protocol) bool { return p == "" || p == corev1.ProtocolTCP }
	return slices.ContainsFunc(s.Ports, func(p discoveryv1.EndpointPort) bool {
		switch {
		case p.Protocol != nil && !tcp(*p.Protocol):
			return false
		case p.Port == nil || *p.Port == int32(port) && verbatim:
			return verbatim
		}
		name := ""
		if p.Name != nil {
			name = *p.Name
		}
		return *p.Port == int32(port) && slices.ContainsFunc(a.service.Spec.Ports, func(sp corev1.ServicePort) bool {
			return sp.Port == int32(a.name.Port) && sp.Name == name && tcp(sp.Protocol)
		})
	})
}

func (a asked) copied() asked {
	b := asked{name: a.name, service: a.service.DeepCopy()}
	for _, s := range a.slices {
		b.slices = append(b.slices, s.DeepCopy())
	}
	return b
}

// same fails where two answers differ in a byte.
func same(t *testing.T, a, b discovery.Result) {
	t.Helper()
	if a.Verdict != b.Verdict || (a.Assignment == nil) != (b.Assignment == nil) || !bytes.Equal(encoded(t, a.Assignment), encoded(t, b.Assignment)) {
		t.Errorf("the answers differ:\n%+v\n%+v", a, b)
	}
}

func encoded(t *testing.T, a *endpointv3.ClusterLoadAssignment) []byte {
	t.Helper()
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// members are the addresses of an assignment, in its order.
func members(a *endpointv3.ClusterLoadAssignment) []netip.AddrPort {
	var all []netip.AddrPort
	for _, locality := range a.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			socket := e.GetEndpoint().GetAddress().GetSocketAddress()
			all = append(all, netip.AddrPortFrom(netip.MustParseAddr(socket.GetAddress()), uint16(socket.GetPortValue())))
		}
	}
	return all
}

func strip[T any](t *testing.T, object T) T {
	t.Helper()
	stripped, err := discovery.Strip(object)
	if err != nil {
		t.Fatal(err)
	}
	return stripped.(T)
}

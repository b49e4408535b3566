package kubeproxy

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/proxy"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

var choices = flag.Int("choices", 20_000, "Services with slices of which kube-proxy chooses as well")

func TestTheSameEndpointsAreChosenAsByKubeProxy(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	chosen := map[discovery.Reason]int{}
	near := 0
	for range *choices {
		service, all := r.service(), r.slices()
		name := resource.Name{Namespace: "shop", Service: "greeter", Port: 9000, Zone: r.pick("", "zone-a", "zone-b")}
		result := discovery.Assign(name, service, all)
		got, want := members(result), kubeProxy(service, all, name.Zone)
		if diff := gocmp.Diff(want, got, gocmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("for %s the endpoints differ from kube-proxy's (-) (+):\n%s\n%v\n%v", name, diff, service, all)
		}
		chosen[result.Verdict.Reason]++
		if everywhere := name; len(got) > 0 && name.Zone != "" {
			everywhere.Zone = ""
			if len(members(discovery.Assign(everywhere, service, all))) > len(got) {
				near++
			}
		}
	}
	t.Logf("%d choices are kube-proxy's: %v; by a zone's hints: %d", *choices, chosen, near)
	if chosen[discovery.Served] == 0 || chosen[discovery.Terminating] == 0 || chosen[discovery.NoEndpoints] == 0 || near == 0 {
		t.Errorf("the random Services do not lead to every kind of choice: %v, by a zone's hints: %d", chosen, near)
	}
}

// kubeProxy are the endpoints to which kube-proxy sends requests to port 9000 of
// a Service, on a node of a zone.
func kubeProxy(service *corev1.Service, all []*discoveryv1.EndpointSlice, zone string) []netip.AddrPort {
	family := service.Spec.IPFamilies[0]
	services := proxy.NewServiceChangeTracker(family, nil, nil)
	services.Update(nil, service)
	ports := proxy.ServicePortMap{}
	ports.Update(services)

	endpoints := proxy.NewEndpointsChangeTracker(family, "node-1", nil, nil)
	for _, s := range all {
		endpoints.EndpointSliceUpdate(s, false)
	}
	known := proxy.EndpointsMap{}
	known.Update(endpoints)

	port := proxy.ServicePortName{
		NamespacedName: types.NamespacedName{Namespace: "shop", Name: "greeter"}, Port: service.Spec.Ports[0].Name, Protocol: corev1.ProtocolTCP,
	}
	_, _, reachable, _ := proxy.CategorizeEndpoints(known[port], ports[port], "node-1", map[string]string{corev1.LabelTopologyZone: zone})
	var found []netip.AddrPort
	for _, e := range reachable {
		found = append(found, netip.MustParseAddrPort(e.String()))
	}
	slices.SortFunc(found, netip.AddrPort.Compare)
	return found
}

// members are the endpoints of an assignment.
func members(result discovery.Result) []netip.AddrPort {
	var found []netip.AddrPort
	for _, locality := range result.Assignment.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			socket := e.GetEndpoint().GetAddress().GetSocketAddress()
			found = append(found, netip.AddrPortFrom(netip.MustParseAddr(socket.GetAddress()), uint16(socket.GetPortValue())))
		}
	}
	return found
}

// random makes Services and slices as the API server lets them be: with their
// defaults filled in, and each address once, or twice where one Pod terminates
// and another has got its address. Of two that both stay, or both terminate,
// kube-proxy takes either.
type random struct{ *rand.Rand }

func (r random) pick(values ...string) string { return values[r.IntN(len(values))] }

// one says yes in one of n cases.
func (r random) one(n int) bool { return r.IntN(n) == 0 }

func (r random) service() *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter"}}
	s.Spec.ClusterIP, s.Spec.IPFamilies = "10.96.0.10", []corev1.IPFamily{corev1.IPv4Protocol}
	if r.one(3) {
		s.Spec.ClusterIP, s.Spec.IPFamilies = "2001:db8:96::10", []corev1.IPFamily{corev1.IPv6Protocol}
	}
	s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	s.Spec.Ports = []corev1.ServicePort{
		{Name: r.pick("grpc", "grpc", ""), Port: 9000, Protocol: corev1.ProtocolTCP},
		{Name: "metrics", Port: 9100, Protocol: corev1.ProtocolTCP},
	}
	return s
}

func (r random) slices() []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	next := 0
	// Hints come for all endpoints of a Service or for none, mostly.
	hints, sick := !r.one(3), r.pick("none", "some", "all")
	for i := range r.IntN(5) {
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprintf("greeter-%d", i),
				Labels: map[string]string{discoveryv1.LabelServiceName: cmp.Or(r.pick("", "", "", "ledger"), "greeter")},
			},
			AddressType: discoveryv1.AddressType(r.pick("IPv4", "IPv4", "IPv6", "FQDN")),
			Ports:       r.ports(),
		}
		for range r.IntN(5) {
			next++
			e := r.endpoint(s.AddressType, next, hints && !r.one(20), sick)
			s.Endpoints = append(s.Endpoints, e)
			if stays := e.Conditions.Terminating == nil || !*e.Conditions.Terminating; stays && r.one(8) {
				s.Endpoints = append(s.Endpoints, terminating(e))
			}
		}
		r.Shuffle(len(s.Endpoints), func(i, j int) { s.Endpoints[i], s.Endpoints[j] = s.Endpoints[j], s.Endpoints[i] })
		all = append(all, s)
	}
	return all
}

func (r random) ports() []discoveryv1.EndpointPort {
	tcp := corev1.ProtocolTCP
	ports := []discoveryv1.EndpointPort{{Name: new("metrics"), Port: new(int32(9090)), Protocol: &tcp}}
	for _, name := range []string{"grpc", ""} {
		p := discoveryv1.EndpointPort{Name: &name, Port: new(int32(8080 + r.IntN(2))), Protocol: new(corev1.Protocol(r.pick("TCP", "TCP", "TCP", "UDP")))}
		if r.one(10) {
			p.Port = nil
		}
		if !r.one(6) {
			ports = append(ports, p)
		}
	}
	return ports
}

// endpoint makes one that is healthy, or may be anything where it is to be sick.
func (r random) endpoint(kind discoveryv1.AddressType, number int, hints bool, sick string) discoveryv1.Endpoint {
	address := map[discoveryv1.AddressType]string{
		discoveryv1.AddressTypeIPv4: fmt.Sprintf("10.0.0.%d", number),
		discoveryv1.AddressTypeIPv6: fmt.Sprintf("2001:db8::%d", number),
		discoveryv1.AddressTypeFQDN: "greeter.example.com",
	}[kind]
	e := discoveryv1.Endpoint{Addresses: []string{address}}
	if sick == "all" || sick == "some" && r.one(2) {
		e.Conditions = discoveryv1.EndpointConditions{Ready: new(false), Serving: r.condition(), Terminating: r.condition()}
		if sick == "some" {
			e.Conditions.Ready = r.condition()
		}
	}
	if hints {
		e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: r.pick("zone-a", "zone-b", "zone-b", "zone-c")}}}
	}
	return e
}

func (r random) condition() *bool { return []*bool{nil, new(true), new(false)}[r.IntN(3)] }

// terminating is the Pod that had an endpoint's address before.
func terminating(e discoveryv1.Endpoint) discoveryv1.Endpoint {
	e.Conditions = discoveryv1.EndpointConditions{Ready: new(false), Serving: new(true), Terminating: new(true)}
	return e
}

package discovery_test

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// random makes Services and slices out of few values, so that they often meet.
type random struct{ *rand.Rand }

// pick is one of some values.
func pick[T any](r random, values ...T) T { return values[r.IntN(len(values))] }

// condition is missing, true or false, and often what is usual.
func (r random) condition(usual bool) *bool {
	return pick(r, nil, &usual, &usual, new(true), new(false))
}

func (r random) name() resource.Name {
	return resource.Name{
		Namespace: "shop", Service: "greeter",
		Port: pick(r, uint16(9000), 9000, 9000, 8080, 8081, 9100),
		Zone: pick(r, "", "zone-a", "zone-b"),
	}
}

func (r random) service() *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter", Labels: map[string]string{"a": "b"}}}
	s.Spec.ClusterIP = pick(r, "10.96.0.10", "10.96.0.10", corev1.ClusterIPNone)
	s.Spec.InternalTrafficPolicy = pick(r, nil, nil, new(corev1.ServiceInternalTrafficPolicyCluster), new(corev1.ServiceInternalTrafficPolicyLocal))
	s.Spec.IPFamilies = pick(r, nil,
		[]corev1.IPFamily{corev1.IPv4Protocol},
		[]corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol},
		[]corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol})
	s.Spec.Ports = pick(r, nil,
		[]corev1.ServicePort{{Name: "grpc", Port: 9000}},
		[]corev1.ServicePort{{Port: 9000}},
		[]corev1.ServicePort{{Name: "grpc", Port: 9000}, {Name: "grpc-web", Port: 9100}},
		[]corev1.ServicePort{{Name: "metrics", Port: 9000, Protocol: corev1.ProtocolUDP}, {Name: "grpc", Port: 9000, Protocol: corev1.ProtocolTCP}})
	return s
}

func (r random) slices() []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for i := range 1 + r.IntN(5) {
		all = append(all, r.slice(i))
	}
	return all
}

func (r random) slice(i int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("greeter-%d", i),
			Labels: map[string]string{
				discoveryv1.LabelServiceName: pick(r, "greeter", "greeter", "greeter", "greeter", "ledger"),
				discoveryv1.LabelManagedBy:   "somebody",
			},
		},
		AddressType: pick(r, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN),
	}
	for range pick(r, 0, 1, 2, 3, 3) {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{
			Name:     pick(r, nil, new("grpc"), new("grpc"), new("grpc"), new("grpc-web"), new("")),
			Port:     pick(r, nil, new(int32(8080)), new(int32(8080)), new(int32(8080)), new(int32(8081)), new(int32(9000)), new(int32(0))),
			Protocol: pick(r, nil, new(corev1.ProtocolTCP), new(corev1.ProtocolTCP), new(corev1.ProtocolUDP)),
		})
	}
	for range r.IntN(6) {
		s.Endpoints = append(s.Endpoints, r.endpoint(s.AddressType))
	}
	return s
}

func (r random) endpoint(kind discoveryv1.AddressType) discoveryv1.Endpoint {
	address := map[discoveryv1.AddressType]string{
		discoveryv1.AddressTypeIPv4: fmt.Sprintf("10.0.0.%d", 1+r.IntN(8)),
		discoveryv1.AddressTypeIPv6: fmt.Sprintf("2001:db8::%d", 1+r.IntN(8)),
		discoveryv1.AddressTypeFQDN: "greeter.example.com",
	}[kind]
	e := discoveryv1.Endpoint{
		Addresses: pick(r, []string{address}, []string{address, "10.9.9.9"}),
		Conditions: discoveryv1.EndpointConditions{
			Ready: r.condition(true), Serving: r.condition(true), Terminating: r.condition(false),
		},
		Hostname: new("greeter-0"), NodeName: new("node-1"), Zone: new("zone-a"),
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "greeter-0"},
	}
	if zone := pick(r, "", "zone-a", "zone-a", "zone-b"); zone != "" {
		e.Hints = &discoveryv1.EndpointHints{
			ForZones: []discoveryv1.ForZone{{Name: zone}}, ForNodes: []discoveryv1.ForNode{{Name: "node-1"}},
		}
	}
	return e
}

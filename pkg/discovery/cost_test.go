package discovery_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// BenchmarkAssign is what one change of a Service of 500 Pods costs for each name
// that is asked for; the controller puts 100 endpoints into a slice.
func BenchmarkAssign(b *testing.B) {
	name := resource.Name{Namespace: "shop", Service: "greeter", Port: 9000, Zone: "zone-a"}
	service := &corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.10", IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Ports: []corev1.ServicePort{{Name: "grpc", Port: 9000}},
	}}
	var slices []*discoveryv1.EndpointSlice
	for i := range 5 {
		s := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(8080))}},
		}
		for j := range 100 {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{fmt.Sprintf("10.0.%d.%d", i, j)},
				Hints:     &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "zone-a"}}},
			})
		}
		slices = append(slices, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := len(members(discovery.Assign(name, service, slices).Assignment)); got != 500 {
			b.Fatalf("%d endpoints, want 500", got)
		}
	}
}

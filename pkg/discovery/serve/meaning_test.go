package serve

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

func TestANameMeansWhatItWouldMeanAlone(t *testing.T) {
	number, other := int32(9000), int32(9100)
	hinted := func(address string, zones ...string) discoveryv1.Endpoint {
		e := discoveryv1.Endpoint{Addresses: []string{address}}
		if len(zones) > 0 {
			e.Hints = &discoveryv1.EndpointHints{}
		}
		for _, zone := range zones {
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
		return e
	}
	object := &corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.1",
		Ports:     []corev1.ServicePort{{Name: "grpc", Port: 9000}, {Name: "metrics", Port: 9100}},
	}}
	for title, endpoints := range map[string][]discoveryv1.Endpoint{
		"every endpoint is for a zone":  {hinted("10.244.0.1", "zone-a"), hinted("10.244.0.2", "zone-b", "zone-c")},
		"some are for a zone":           {hinted("10.244.0.1", "zone-a"), hinted("10.244.0.2")},
		"none is":                       {hinted("10.244.0.1"), hinted("10.244.0.2")},
		"there are no endpoints at all": nil,
	} {
		t.Run(title, func(t *testing.T) {
			grpcPort, metricsPort := "grpc", "metrics"
			all := []*discoveryv1.EndpointSlice{{
				ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"}},
				AddressType: discoveryv1.AddressTypeIPv4,
				Ports:       []discoveryv1.EndpointPort{{Name: &grpcPort, Port: &number}, {Name: &metricsPort, Port: &other}},
				Endpoints:   endpoints,
			}}
			now := newMeanings(object, all)
			for _, port := range []uint16{9000, 9100, 1} {
				for _, zone := range []string{"", "zone-a", "zone-b", "zone-c", "zone-d"} {
					asked := resource.Name{Namespace: "shop", Service: "greeter", Port: port, Zone: zone}
					want := discovery.Assign(asked, object, all).Assignment
					got := now.of(&name{means: asked})
					if want == nil {
						if got.content != nil {
							t.Errorf("%s is answered", asked)
						}
						continue
					}
					if fmt.Sprintf("%x", got.under(asked.String())) != fmt.Sprintf("%x", marshal(want)) {
						t.Errorf("%s is not what it is alone", asked)
					}
				}
			}
		})
	}
}

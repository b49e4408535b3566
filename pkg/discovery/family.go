package discovery

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

/*
A Service of two families has slices of both for the same Pods. The Service says
in ipFamilies which one it prefers, and that one is served, unless there is no
endpoint of it and one of the other.
*/

// ofService are the slices that belong to a name's Service, by the label that
// says so.
func ofService(name resource.Name, all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	var own []*discoveryv1.EndpointSlice
	for _, s := range all {
		if s != nil && s.Namespace == name.Namespace && s.Labels[discoveryv1.LabelServiceName] == name.Service {
			own = append(own, s)
		}
	}
	return own
}

// firstFamily are the slices of the first of a Service's families that has
// endpoints.
func firstFamily(service *corev1.Service, all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	families := service.Spec.IPFamilies
	if len(families) == 0 {
		// The API server fills them in. Without it, in a manifest, they are not known.
		families = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	}
	for _, family := range families {
		found := ofType(all, discoveryv1.AddressType(family))
		if hasEndpoints(found) {
			return found
		}
	}
	return nil
}

// hasNames says whether there are endpoints with names in place of addresses.
func hasNames(all []*discoveryv1.EndpointSlice) bool {
	return hasEndpoints(ofType(all, discoveryv1.AddressTypeFQDN))
}

func ofType(all []*discoveryv1.EndpointSlice, want discoveryv1.AddressType) []*discoveryv1.EndpointSlice {
	return slices.DeleteFunc(slices.Clone(all), func(s *discoveryv1.EndpointSlice) bool { return s.AddressType != want })
}

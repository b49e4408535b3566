package discovery

import (
	"fmt"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// overprovisioning is in percent. A pool is abandoned for the next one, DNS, only
// when none of a hundred of its hosts is available. With Envoy's default of 140 a
// pool with half its hosts ejected sent 16 % of the requests through DNS, which
// for a Service with a cluster IP is one connection to one Pod.
const overprovisioning = 10000

// Result is what came of a name.
type Result struct {
	// Assignment is what a sidecar is told. With no endpoints in it the sidecar
	// goes on by DNS and forgets the addresses that it knew. It is nil where
	// discovery has nothing to say about the name: who never got an answer for it
	// works from DNS, who got one before needs Empty now.
	Assignment *endpointv3.ClusterLoadAssignment
	Verdict    Verdict
}

// Assign says which addresses are behind a name. The Service is nil where there
// is none. Slices of other Services are passed over. The result is the same for
// the same objects in any order, and shares no memory with them.
func Assign(name resource.Name, service *corev1.Service, slices []*discoveryv1.EndpointSlice) Result {
	if service == nil {
		return unanswered(NoService, "there is no Service "+name.Namespace+"/"+name.Service)
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return unanswered(ExternalName, fmt.Sprintf("the Service is of type ExternalName and names %s, which DNS alone can follow", service.Spec.ExternalName))
	}
	if localOnly(service) {
		return unanswered(LocalOnly, "the Service's internalTrafficPolicy is Local: kube-proxy alone, by way of the cluster IP, finds endpoints of the client's node")
	}
	slices = ofService(name, slices)
	addressed := firstFamily(service, slices)
	if len(addressed) == 0 && hasNames(slices) {
		return unanswered(FQDNSlices, "the Service's EndpointSlices hold names in place of addresses, which DNS alone can follow")
	}
	ports, verdict := choosePorts(name.Port, service, addressed)
	if ports == nil {
		return Result{Verdict: verdict}
	}
	all := gather(addressed, ports)
	chosen, choice := choose(all, name.Zone)
	if verdict.Reason == "" || len(chosen) == 0 && verdict.Reason != PortNotInSlices {
		verdict = choice
	}
	return Result{Assignment: assignment(name, chosen), Verdict: verdict}
}

// localOnly says whether requests are to stay on the client's node. DNS of a
// headless Service knows nothing of it, and neither does who follows that one.
func localOnly(service *corev1.Service) bool {
	policy := service.Spec.InternalTrafficPolicy
	return policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal && service.Spec.ClusterIP != corev1.ClusterIPNone
}

// Empty is an assignment without endpoints. It takes back what a sidecar was told
// of a name: when the resource is deleted instead, Envoy keeps the addresses, and
// they may by then be another workload's.
func Empty(name resource.Name) *endpointv3.ClusterLoadAssignment {
	return assignment(name, nil)
}

// unanswered is a result without an assignment.
func unanswered(reason Reason, text string) Result {
	return Result{Verdict: Verdict{reason, text}}
}

// assignment tells addresses to Envoy, in the order in which they are given:
// sidecars compare what they get by its hash.
func assignment(name resource.Name, addresses []netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	a := &endpointv3.ClusterLoadAssignment{
		ClusterName: name.String(),
		Policy: &endpointv3.ClusterLoadAssignment_Policy{
			OverprovisioningFactor: wrapperspb.UInt32(overprovisioning),
		},
	}
	if len(addresses) == 0 {
		return a
	}
	endpoints := make([]*endpointv3.LbEndpoint, 0, len(addresses))
	for _, address := range addresses {
		endpoints = append(endpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: socket(address)},
		}})
	}
	// Without a locality: zones are chosen here, and Envoy would weigh localities
	// only against those of a local cluster, which a sidecar has none of.
	a.Endpoints = []*endpointv3.LocalityLbEndpoints{{LbEndpoints: endpoints}}
	return a
}

func socket(address netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       address.Addr().String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(address.Port())},
	}}}
}

package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// maxJitter keeps the sidecars of a rollout from asking DNS in step. It is part
	// of the promise that a change is followed within refresh + 2 s.
	maxJitter = time.Second
	// firstLookAfterFailure is when DNS is asked again that did not answer. A packet
	// that is lost as the sidecar starts leaves the pool empty no longer than that.
	firstLookAfterFailure = 100 * time.Millisecond
)

// fromDNS has DNS name the members.
func (p *packer) fromDNS(c *clusterv3.Cluster, m Members, ipv6 bool) {
	c.ClusterDiscoveryType = p.dns(m, ipv6)
	c.LoadAssignment = assignment(c.GetName(), m)
}

// dns makes each address of a name a member of the pool.
func (p *packer) dns(m Members, ipv6 bool) *clusterv3.Cluster_ClusterType {
	return &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.cluster.dns",
		TypedConfig: p.pack(&dnsv3.DnsCluster{
			DnsRefreshRate: durationpb.New(m.Refresh),
			DnsJitter:      durationpb.New(min(m.Refresh/5, maxJitter)),
			// A failed look is repeated soon, without a storm. The pool stays as it is
			// meanwhile.
			DnsFailureRefreshRate: &dnsv3.DnsCluster_RefreshRate{
				BaseInterval: durationpb.New(firstLookAfterFailure),
				MaxInterval:  durationpb.New(m.Refresh),
			},
			DnsLookupFamily: family(ipv6),
		}),
	}}
}

// family is the one family that is asked for. Envoy's default prefers IPv6, which
// many clusters do not route. Preferring IPv4 would ask for IPv6 as well once
// IPv4 has timed out, and keep an application from starting for 5 s when DNS is
// silent, instead of 2; what it would gain is a Service of a dual-stack cluster
// that has IPv6 addresses alone.
func family(ipv6 bool) commondnsv3.DnsLookupFamily {
	if ipv6 {
		return commondnsv3.DnsLookupFamily_V6_ONLY
	}
	return commondnsv3.DnsLookupFamily_V4_ONLY
}

func assignment(name string, m Members) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
				Address: socket(m.Host, m.Port),
			}},
		}}}},
	}
}

// resolver is how all pools ask DNS.
func (p *packer) resolver() *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{
		Name: "envoy.network.dns_resolver.cares",
		TypedConfig: p.pack(&caresv3.CaresDnsResolverConfig{
			// Names are fully qualified: the five search domains of a Pod would only
			// multiply the questions.
			DnsResolverOptions: &corev3.DnsResolverOptions{NoDefaultSearchDomain: true},
			// The defaults, 5 s and 4 tries, kept /ready at 503, and so the application
			// from starting, for more than 40 s when DNS was silent. A second try takes
			// twice as long, so that it was 3.1 to 4 s with two. Pools ask again by
			// themselves, sooner than that.
			QueryTimeoutSeconds: wrapperspb.UInt64(1),
			QueryTries:          wrapperspb.UInt32(1),
			// A socket for each question. By the one that is kept for all, kube-proxy
			// sends every question to the same DNS server, also after its node is lost,
			// and may drop one of the first two, which are sent at the same instant.
			UdpMaxQueries: wrapperspb.UInt32(1),
		}),
	}
}

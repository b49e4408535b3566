package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	aggregatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

/*
A pool that follows discovery is three clusters to Envoy: one whose members
discovery tells, one whose members DNS names, and an aggregate that sends to the
first as long as it has a member that is available, and else to the second.

What is set on the members, such as ejection, time-outs and socket options, holds
for the connections to them. Retries are counted, and priorities weighed, where a
route points: at the aggregate.
*/

// firstAnswer is how long the sidecar's start waits for discovery. Envoy's default
// of 15 s would keep the application from starting while discovery is away.
const firstAnswer = time.Second

// dnsPool is the name of the pool that DNS fills, behind the one of this name that
// discovery fills.
func dnsPool(name string) string { return name + "|dns" }

// target is what a route to the pool of this name points at.
func (m Members) target(name string) string {
	if m.Resource == "" {
		return name
	}
	return name + "|all"
}

// fromDiscovery has discovery tell the members.
func fromDiscovery(c *clusterv3.Cluster, m Members) {
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{
		ServiceName: m.Resource,
		EdsConfig: &corev3.ConfigSource{
			// The one stream of the bootstrap: with a source of its own each pool would
			// keep a stream of its own.
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			ResourceApiVersion:    corev3.ApiVersion_V3,
			InitialFetchTimeout:   durationpb.New(firstAnswer),
		},
	}
}

// aggregate sends to the pool that discovery fills, and while nobody is available
// there to the one that DNS fills.
func (p *packer) aggregate(m Members, name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:        m.target(name),
		AltStatName: statName(m.target(name)),
		ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
			Name:        "envoy.clusters.aggregate",
			TypedConfig: p.pack(&aggregatev3.ClusterConfig{Clusters: []string{name, dnsPool(name)}}),
		}},
		// Each of the two picks its host by its own policy; Envoy takes no other here.
		LbPolicy: clusterv3.Cluster_CLUSTER_PROVIDED,
		CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{
			// As on the members: with the default, once most hosts of both are out,
			// requests go to hosts that are known to be gone.
			HealthyPanicThreshold: &typev3.Percent{Value: 0},
		},
		// Retries count here, not on the members: with Envoy's default of 3 at a time
		// 222 were dropped when half of the backends died. Requests count there, so a
		// share of them is nothing here, and this number is all there is.
		CircuitBreakers: circuitBreakers(unlimited),
	}
}

package envoy

import (
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// connectTimeout is how long a connection may take. An address whose Pod has
	// gone swallows packets: every request that draws it waits this long before it
	// is sent elsewhere. Envoy's default is 5 s.
	connectTimeout = 250 * time.Millisecond

	// unlimited is what circuit breakers are set to. With Envoy's default of 1024
	// the application's 1025th open stream is refused.
	unlimited = 1_000_000

	// retriesAtOnce is how many retries may be under way at any rate, in addition
	// to as many as there are requests. With Envoy's defaults of 20 % and 3 retries
	// are dropped exactly when a host dies.
	retriesAtOnce = 1000
)

// requestPool is where the requests of an upstream go.
func (p *packer) requestPool(u Upstream, ipv6 bool) *clusterv3.Cluster {
	c := p.pool(u, u.Name, ipv6)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{
		"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": p.pack(p.httpUpstream()),
	}
	c.UpstreamConnectionOptions = keepalive()
	c.UpstreamBindConfig = giveUpOnSilence()
	c.HealthChecks = healthChecks(u.HealthCheck)
	// A member that DNS does not name any more is gone at once, even while health
	// checks still call it healthy.
	c.IgnoreHealthOnHostRemoval = len(c.HealthChecks) > 0
	return c
}

// connectionPool is where connections go that are passed through. It is a pool
// of its own because TCP_USER_TIMEOUT also counts the time in which a peer's
// window is closed: it reset a healthy server that read nothing for 5 s. Only
// keepalive finds dead peers here.
func (p *packer) connectionPool(u Upstream, ipv6 bool) *clusterv3.Cluster {
	c := p.pool(u, connectionPoolName(u), ipv6)
	c.UpstreamConnectionOptions = keepalive()
	if u.Protocol == TCP {
		// Beside a pool for requests nobody asked for bare connections to this one:
		// MySQL blocks a peer that keeps making them.
		c.HealthChecks = healthChecks(u.HealthCheck)
		c.IgnoreHealthOnHostRemoval = len(c.HealthChecks) > 0
	}
	return c
}

func connectionPoolName(u Upstream) string { return u.Name + "|tcp" }

// statName is a name as statistics show it. Envoy ends the name of a pool at the
// first dot and writes colons as underscores; Kubernetes names have no
// underscores, so this can be read back.
func statName(name string) string {
	return strings.NewReplacer(".", "_", ":", "_").Replace(name)
}

// pool is what both kinds of pool have in common.
func (p *packer) pool(u Upstream, name string, ipv6 bool) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 name,
		AltStatName:          statName(name),
		ClusterDiscoveryType: p.dns(u.Members, ipv6),
		LoadAssignment:       assignment(name, u.Members),
		ConnectTimeout:       durationpb.New(connectTimeout),
		CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{
			// With the default, requests go to ejected hosts as soon as half the pool
			// is ejected. The cap on ejections keeps hosts in the pool instead.
			HealthyPanicThreshold: &typev3.Percent{Value: 0},
			// By default a second ejection within a second takes effect at its end. When
			// most of a pool dies at once, retries ran out meanwhile.
			UpdateMergeWindow: durationpb.New(0),
		},
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
			MaxConnections:     wrapperspb.UInt32(unlimited),
			MaxPendingRequests: wrapperspb.UInt32(unlimited),
			MaxRequests:        wrapperspb.UInt32(unlimited),
			RetryBudget: &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
				BudgetPercent:       &typev3.Percent{Value: 100},
				MinRetryConcurrency: wrapperspb.UInt32(retriesAtOnce),
			},
		}}},
		OutlierDetection: ejection(),
		// Requests and failures of each Pod, for "which one is it?".
		TrackClusterStats: &clusterv3.TrackClusterStats{PerEndpointStats: true},
	}
	balance(c, u.Algorithm)
	return c
}

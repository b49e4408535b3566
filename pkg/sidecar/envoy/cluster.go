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

// httpProtocolOptions is what a cluster calls its options for HTTP.
const httpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// requestPools are where the requests of an upstream go: one pool, or those that
// an aggregate is made of, and the aggregate.
func (p *packer) requestPools(u Upstream, c Config) []*clusterv3.Cluster {
	if u.Members.Resource == "" {
		pool := p.requestPool(u, u.Name, u.HealthCheck, c)
		p.fromDNS(pool, u.Members, c.IPv6)
		return []*clusterv3.Cluster{pool}
	}
	discovered := p.requestPool(u, u.Name, u.HealthCheck.orTCP(), c)
	fromDiscovery(discovered, u.Members)
	if u.HealthCheck.Kind == "" && u.Protocol == Auto {
		spare(discovered)
	}
	named := p.requestPool(u, dnsPool(u.Name), u.HealthCheck, c)
	p.fromDNS(named, u.Members, c.IPv6)
	return []*clusterv3.Cluster{discovered, named, p.aggregate(u.Members, u.Name)}
}

func (p *packer) requestPool(u Upstream, name string, check HealthCheck, config Config) *clusterv3.Cluster {
	c := pool(u, name)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpProtocolOptions: p.pack(p.httpUpstream())}
	c.UpstreamConnectionOptions = keepalive()
	c.UpstreamBindConfig = giveUpOnSilence()
	config.ask(c, check)
	return c
}

// connectionPools are where connections go that are passed through. They are pools
// of their own because TCP_USER_TIMEOUT also counts the time in which a peer's
// window is closed: it reset a healthy server that read nothing for 5 s. Only
// keepalive finds dead peers here.
func (p *packer) connectionPools(u Upstream, c Config) []*clusterv3.Cluster {
	name := connectionPoolName(u)
	if u.Members.Resource == "" {
		pool := connectionPool(u, name, c)
		p.fromDNS(pool, u.Members, c.IPv6)
		return []*clusterv3.Cluster{pool}
	}
	discovered := connectionPool(u, name, c)
	fromDiscovery(discovered, u.Members)
	discovered.OutlierDetection = ejectionOfAll()
	named := connectionPool(u, dnsPool(name), c)
	p.fromDNS(named, u.Members, c.IPv6)
	return []*clusterv3.Cluster{discovered, named, p.aggregate(u.Members, name)}
}

func connectionPool(u Upstream, name string, config Config) *clusterv3.Cluster {
	c := pool(u, name)
	c.UpstreamConnectionOptions = keepalive()
	if u.Protocol == TCP {
		// Beside a pool for requests nobody asked for bare connections to this one:
		// MySQL blocks a peer that keeps making them.
		config.ask(c, u.HealthCheck)
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

// pool is what all kinds of pools have in common.
func pool(u Upstream, name string) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:           name,
		AltStatName:    statName(name),
		ConnectTimeout: durationpb.New(connectTimeout),
		CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{
			// With the default, requests go to ejected hosts as soon as half the pool
			// is ejected. The cap on ejections keeps hosts in the pool instead.
			HealthyPanicThreshold: &typev3.Percent{Value: 0},
			// By default a second ejection within a second takes effect at its end. When
			// most of a pool dies at once, retries ran out meanwhile.
			UpdateMergeWindow: durationpb.New(0),
		},
		CircuitBreakers:  circuitBreakers(retriesAtOnce),
		OutlierDetection: ejection(),
		// Requests and failures of each Pod, for "which one is it?".
		TrackClusterStats: &clusterv3.TrackClusterStats{PerEndpointStats: true},
	}
	balance(c, u.Algorithm)
	return c
}

// circuitBreakers are those that never open. This many retries may be under way
// beside as many as there are requests.
func circuitBreakers(retries uint32) *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     wrapperspb.UInt32(unlimited),
		MaxPendingRequests: wrapperspb.UInt32(unlimited),
		MaxRequests:        wrapperspb.UInt32(unlimited),
		RetryBudget: &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
			BudgetPercent:       &typev3.Percent{Value: 100},
			MinRetryConcurrency: wrapperspb.UInt32(retries),
		},
	}}}
}

package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The kinds of active health checks.
const (
	noCheck   = "none"
	grpcCheck = "grpc"
	tcpCheck  = "tcp"
)

const (
	// checkInterval is the time between two health checks of a member.
	checkInterval = 5 * time.Second
	// unhealthyInterval is the same for one that is not healthy: a host that came
	// back is used again soon.
	unhealthyInterval = 2 * time.Second
	// quietInterval is the same, where nobody asked for checks and the protocol is
	// found out, for a healthy member of a pool that never had a request. Those
	// behind it may be no HTTP servers: to MySQL, which blocks a peer after a hundred
	// connections that say nothing, to Postgres and to servers of TLS, which log each,
	// the usual interval would do harm. It is also how long after its first request a
	// pool may find out late that discovery has left it with members that are gone.
	quietInterval = time.Minute
)

// orTCP is how the members of a pool for requests are asked that discovery told.
// When discovery is away and all of them have been replaced, ejections, which leave
// half of them in, kept the pool at 1 to 8 % of its rate for good. A check of each
// one takes them all out, and DNS is used.
func (h HealthCheck) orTCP() HealthCheck {
	if h.Kind == "" {
		return HealthCheck{Kind: tcpCheck}
	}
	return h
}

// spare has the members of a pool hardly asked as long as it has no requests. Once it
// has, each is asked as usual after its next check, and those that come at once.
func spare(pool *clusterv3.Cluster) {
	for _, check := range pool.GetHealthChecks() {
		check.NoTrafficHealthyInterval = durationpb.New(max(quietInterval, check.GetNoTrafficInterval().AsDuration()))
	}
}

// ask has each member of a pool asked for its health, apart from the requests.
func (c Config) ask(pool *clusterv3.Cluster, h HealthCheck) {
	if h.Kind == "" || h.Kind == noCheck {
		return
	}
	interval := checkInterval
	if c.Discovery != nil {
		interval = c.Discovery.CheckInterval
	}
	pool.HealthChecks = []*corev3.HealthCheck{h.every(interval)}
	// A member that DNS or discovery does not name any more is gone at once, even
	// while health checks still call it healthy.
	pool.IgnoreHealthOnHostRemoval = true
}

// every is a health check with this time between two of them.
func (h HealthCheck) every(interval time.Duration) *corev3.HealthCheck {
	check := &corev3.HealthCheck{
		Timeout:  durationpb.New(500 * time.Millisecond),
		Interval: durationpb.New(interval),
		// Many sidecars that started together do not ask together.
		IntervalJitter: durationpb.New(time.Second),
		// The default asks an upstream without traffic once a minute: its first
		// requests would find what a minute ago was healthy.
		NoTrafficInterval:  durationpb.New(interval),
		UnhealthyInterval:  durationpb.New(min(interval, unhealthyInterval)),
		UnhealthyThreshold: wrapperspb.UInt32(2),
		HealthyThreshold:   wrapperspb.UInt32(1),
	}
	switch h.Kind {
	case grpcCheck:
		check.HealthChecker = &corev3.HealthCheck_GrpcHealthCheck_{
			GrpcHealthCheck: &corev3.HealthCheck_GrpcHealthCheck{ServiceName: h.Service},
		}
	default:
		// A connection that the kernel accepts is enough: slow or resetting servers
		// never fail it.
		check.HealthChecker = &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}}
	}
	return check
}

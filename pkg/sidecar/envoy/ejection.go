package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// failuresInARow is how many failures eject a host, with no success between
	// them. A stream that a server resets counts as one, so with 1 a server that
	// resets a tenth of its streams was out most of the time, and served 2 % of the
	// requests. When a host dies all the requests that wait for its connection fail
	// together, so 5 are soon there.
	failuresInARow = 5
	// maxEjected is the share of a pool that may be out at a time, in per cent.
	// Something that all hosts have, such as answers that come later than the
	// deadline, may not leave a few with all the requests. Envoy's default of 10
	// ejects nobody from a pool of less than ten.
	maxEjected = 50
	// minEjectionTime is the first time that a host is out for; each further one is
	// that much longer, up to maxEjectionTime. Envoy's defaults of 30 and 300 s
	// would keep a host out long after it is back.
	minEjectionTime = 5 * time.Second
	maxEjectionTime = 10 * time.Second
	// ejectionSweep is how often the times are looked at. With Envoy's default of
	// 10 s they would all be 10 s.
	ejectionSweep = 500 * time.Millisecond
)

// ejectionOfAll is the way out of a pool for connections whose members are all gone
// while discovery is away: nobody asks them for their health, and once every one is
// ejected DNS is used. One failure is enough, since all that fails here is to
// connect. With five, at a client that waits longer after each failure, the first
// host was back before the last was out.
func ejectionOfAll() *clusterv3.OutlierDetection {
	o := ejection()
	o.ConsecutiveLocalOriginFailure = wrapperspb.UInt32(1)
	o.MaxEjectionPercent = wrapperspb.UInt32(100)
	return o
}

// ejection takes hosts out of a pool for a while that cannot be connected to.
// What applications answer ejects nobody: a status is the service's own affair,
// and a client's bad requests would empty the pool.
func ejection() *clusterv3.OutlierDetection {
	never := func() *wrapperspb.UInt32Value { return wrapperspb.UInt32(0) }
	return &clusterv3.OutlierDetection{
		// Failures to connect are counted apart from answers.
		SplitExternalLocalOriginErrors:         true,
		ConsecutiveLocalOriginFailure:          wrapperspb.UInt32(failuresInARow),
		EnforcingConsecutiveLocalOriginFailure: wrapperspb.UInt32(100),

		// On by default: five 5xx answers, and success rates below those of others.
		EnforcingConsecutive_5Xx:           never(),
		EnforcingConsecutiveGatewayFailure: never(),
		EnforcingSuccessRate:               never(),
		EnforcingLocalOriginSuccessRate:    never(),

		MaxEjectionPercent: wrapperspb.UInt32(maxEjected),
		Interval:           durationpb.New(ejectionSweep),
		BaseEjectionTime:   durationpb.New(minEjectionTime),
		MaxEjectionTime:    durationpb.New(maxEjectionTime),
	}
}

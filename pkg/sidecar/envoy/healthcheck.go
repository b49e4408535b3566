package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The kinds of active health checks.
const (
	grpcCheck = "grpc"
	tcpCheck  = "tcp"
)

// healthChecks asks each member for its health, apart from the requests.
func healthChecks(h HealthCheck) []*corev3.HealthCheck {
	if h.Kind == "" {
		return nil
	}
	check := &corev3.HealthCheck{
		Timeout:  durationpb.New(500 * time.Millisecond),
		Interval: durationpb.New(5 * time.Second),
		// Many sidecars that started together do not ask together.
		IntervalJitter: durationpb.New(time.Second),
		// The default asks an upstream without traffic once a minute: its first
		// requests would find what a minute ago was healthy.
		NoTrafficInterval: durationpb.New(5 * time.Second),
		// A host that came back is used again soon.
		UnhealthyInterval:  durationpb.New(2 * time.Second),
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
	return []*corev3.HealthCheck{check}
}

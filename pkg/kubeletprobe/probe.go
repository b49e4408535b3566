package kubeletprobe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Target is what is probed.
type Target struct {
	// Address is the Pod's IP.
	Address string `json:"address"`
	Port    int32  `json:"port"`
	Service string `json:"service"`
	// TLS speaks TLS and verifies nothing.
	TLS bool `json:"tls,omitempty"`
	// TimeoutSeconds is the deadline of dial and call together; less than 1
	// counts as 1, the API's default.
	TimeoutSeconds int32 `json:"timeoutSeconds"`
}

// Verdict is what one probe came to.
type Verdict string

// The verdicts.
const (
	// Passed: the server says SERVING.
	Passed Verdict = "passed"
	// Failed: a server answered, and with anything else.
	Failed Verdict = "failed"
	// NoAnswer: no server answered: refused, no route, or nothing in time. From
	// the node this is a failed probe, from elsewhere it shows nothing.
	NoAnswer Verdict = "no answer"
)

// Answer is a verdict and what it stands on.
type Answer struct {
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`
}

// Probe probes once. The user-agent is "kube-probe/" and the kubelet's version
// as MAJOR.MINOR.
func Probe(ctx context.Context, target Target, version string) Answer {
	timeout := time.Duration(max(target.TimeoutSeconds, 1)) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var dialer dialer
	//nolint:staticcheck // the kubelet dials just so, and the deadline covers the dial only with WithBlock
	connection, err := grpc.DialContext(ctx, net.JoinHostPort(target.Address, strconv.Itoa(int(target.Port))),
		grpc.WithUserAgent("kube-probe/"+version),
		grpc.WithBlock(), //nolint:staticcheck // see above
		grpc.WithTransportCredentials(transport(target.TLS)),
		grpc.WithContextDialer(dialer.dial))
	if err != nil {
		return Answer{NoAnswer, dialer.why(timeout)}
	}
	defer func() { _ = connection.Close() }()
	response, err := grpc_health_v1.NewHealthClient(connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: target.Service})
	if err != nil {
		return refusal(err, timeout)
	}
	if response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return Answer{Failed, "the server says " + response.GetStatus().String()}
	}
	return Answer{Passed, "the server says SERVING"}
}

func transport(useTLS bool) credentials.TransportCredentials {
	if useTLS {
		return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the kubelet verifies nothing
	}
	return insecure.NewCredentials()
}

// refusal reads the error of a call.
func refusal(err error, timeout time.Duration) Answer {
	s := status.Convert(err)
	switch s.Code() {
	case codes.DeadlineExceeded:
		return Answer{NoAnswer, fmt.Sprintf("connected, but no answer within %s", timeout)}
	case codes.Unavailable, codes.Canceled:
		return Answer{NoAnswer, "connected, but the connection broke: " + s.Message()}
	case codes.Unimplemented:
		return Answer{Failed, "the server has no health service (grpc.health.v1.Health)"}
	case codes.NotFound:
		return Answer{Failed, "the server's health service does not know this service"}
	default:
		return Answer{Failed, fmt.Sprintf("the server answers %s: %s", s.Code(), s.Message())}
	}
}

// dialer connects, and remembers what came of it.
type dialer struct {
	mu        sync.Mutex
	connected bool
	err       error
}

// dial connects to an address of a Pod: never through a proxy, and without
// leaving the socket in TIME-WAIT for long, as the kubelet's does
// (k8s.io/kubernetes, pkg/probe/dialer_others.go).
func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(1)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connected = d.connected || err == nil
	// The last try is cut off by the deadline and tells less than the first.
	if err != nil && d.err == nil && !errors.Is(err, context.DeadlineExceeded) {
		d.err = err
	}
	return connection, err
}

// why says why no connection came about within the deadline.
func (d *dialer) why(timeout time.Duration) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var op *net.OpError
	switch {
	case d.connected:
		return fmt.Sprintf("connected, but no gRPC server answered within %s", timeout)
	case errors.As(d.err, &op) && op.Err != nil && !op.Timeout():
		return op.Err.Error()
	}
	return fmt.Sprintf("no connection within %s", timeout)
}

package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"k8s.io/client-go/util/cert"
)

// known is the service that every server knows beside the empty one.
const known = "shop.Orders"

// state is a server that probes may meet.
type state struct {
	name string
	// slow says that the server makes probes wait on purpose.
	slow bool
	// letter says why a rewritten probe may fail there though the exec probe
	// passes: what no manifest shows. It is empty where that must not be.
	letter string
	// gain says why a rewritten probe may pass there though the exec probe
	// fails. It is empty where that must not be.
	gain string
	// start starts it until the test ends.
	start func(t *testing.T) (port string)
}

// The reasons why verdicts may differ.
const (
	evidence   = "a declared port is evidence, not proof"
	judges     = "the server judges its caller"
	alpn       = "a tool before v0.4.35 does not insist on ALPN"
	sharedTime = "connecting and calling share one deadline"
	unreached  = "the tool never reached this server, the kubelet does"
)

// states are all servers.
func states() []state {
	return []state{
		{name: "SERVING", start: plain(anyAddress, serving)},
		{name: "NOT_SERVING", start: plain(anyAddress, health{status: healthpb.HealthCheckResponse_NOT_SERVING})},
		{name: "UNKNOWN", start: plain(anyAddress, health{})},
		{name: "SERVICE_UNKNOWN as an answer", start: plain(anyAddress, health{status: healthpb.HealthCheckResponse_SERVICE_UNKNOWN})},
		{name: "no such service", start: plain(anyAddress, health{err: status.Error(codes.NotFound, "unknown service")})},
		{name: "no health service", start: plain(anyAddress, nil)},
		{name: "nobody listens", start: closedPort},
		{name: "resets what it accepts", start: resets},
		{name: "accepts and says nothing", slow: true, start: silent(time.Hour, serving)},
		{name: "says nothing for 1.5 s", slow: true, gain: sharedTime, start: silent(phase, serving)},
		{name: "answers after 1.5 s", slow: true, gain: sharedTime, start: plain(anyAddress, after(phase))},
		{name: "answers after 3.5 s", slow: true, gain: sharedTime, start: plain(anyAddress, after(3500*time.Millisecond))},
		{name: "both, 1.5 s each", slow: true, gain: sharedTime, start: silent(phase, after(phase))},
		{name: "TLS", start: secure(anyAddress, "h2")},
		{name: "TLS without ALPN", letter: alpn, start: secure(anyAddress)},
		{name: "127.0.0.1 alone", letter: evidence, start: plain("tcp4 127.0.0.1:0", serving)},
		{name: "::1 alone", letter: evidence, start: plain("tcp6 [::1]:0", serving)},
		{name: "TLS on 127.0.0.1 alone", letter: evidence, start: secure("tcp4 127.0.0.1:0", "h2")},
		{name: "IPv4 alone", start: plain("tcp4 0.0.0.0:0", serving)},
		{name: "IPv6 alone", letter: evidence, start: plain("tcp6 [::]:0", serving)},
		{name: "the Pod's IPv4 address alone", gain: unreached, start: plain("tcp4 "+podIPHere+":0", serving)},
		{name: "closes each connection soon", start: plain(anyAddress, serving,
			grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 20 * time.Millisecond, MaxConnectionAgeGrace: time.Second}))},
		{name: "3,000 Watch streams at its limit", start: crowded},
		{name: "an answer of 5 MB", start: plain(anyAddress, health{status: serving.status, padding: 5 << 20})},
		{name: "asks for a header", start: guarded(func(ctx context.Context) bool { return firstOf(ctx, "token") == "x" })},
		{name: "answers loopback callers alone", letter: judges, start: guarded(cameByLoopback)},
		{name: "answers :authority localhost alone", letter: judges, start: guarded(func(ctx context.Context) bool {
			return strings.HasPrefix(firstOf(ctx, ":authority"), "localhost:")
		})},
		{name: "answers the tool's user-agent alone", letter: judges, start: guarded(func(ctx context.Context) bool {
			return strings.HasPrefix(firstOf(ctx, "user-agent"), "grpc_health_probe ")
		})},
	}
}

const (
	// anyAddress is IPv4 and IPv6, as most servers listen.
	anyAddress = "tcp :0"
	// phase is longer than the tool's timeouts are by default, and together with
	// the other phase shorter than what the commands with longer ones allow; by
	// half a second at least, so that a busy machine changes no verdict.
	phase = 1500 * time.Millisecond
)

// serving is a health service that is well.
var serving = health{status: healthpb.HealthCheckResponse_SERVING}

// after is the same, slowly.
func after(delay time.Duration) health { return health{status: serving.status, delay: delay} }

// health is a health service.
type health struct {
	healthpb.UnimplementedHealthServer

	status  healthpb.HealthCheckResponse_ServingStatus
	err     error
	delay   time.Duration
	padding int
}

// Check answers for the whole server and for one service.
func (h health) Check(ctx context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(h.delay):
	}
	if request.GetService() != "" && request.GetService() != known {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	answer := &healthpb.HealthCheckResponse{Status: h.status}
	if h.padding > 0 { // a field that no client knows
		answer.ProtoReflect().SetUnknown(append([]byte{0x7a, 0x80, 0x80, 0xc0, 0x02}, make([]byte, h.padding)...))
	}
	return answer, h.err
}

// Watch tells the status once and stays open.
func (h health) Watch(_ *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	if err := stream.Send(&healthpb.HealthCheckResponse{Status: h.status}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// plain starts a server without TLS; the address is a network and an address.
func plain(address string, h healthpb.HealthServer, options ...grpc.ServerOption) func(*testing.T) string {
	return func(t *testing.T) string { return serve(t, address, h, options...) }
}

// secure starts a server with TLS that offers these protocols.
func secure(address string, protocols ...string) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		pem, key, err := cert.GenerateSelfSignedCertKey("server", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(pem, key)
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, address, serving, grpc.Creds(tlsCredentials{protocols, pair}))
	}
}

// tlsCredentials are grpc-go's own but for ALPN, on which grpc-go insists.
type tlsCredentials struct {
	protocols []string
	pair      tls.Certificate
}

var _ credentials.TransportCredentials = tlsCredentials{}

func (c tlsCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c.pair}, NextProtos: c.protocols, MinVersion: tls.VersionTLS12})
	if err := secured.Handshake(); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return secured, credentials.TLSInfo{State: secured.ConnectionState()}, nil
}

func (tlsCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}
func (tlsCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}
func (c tlsCredentials) Clone() credentials.TransportCredentials { return c }
func (tlsCredentials) OverrideServerName(string) error           { return nil }

// guarded starts a server that answers those alone whom it lets in.
func guarded(letIn func(ctx context.Context) bool) func(*testing.T) string {
	return func(t *testing.T) string {
		return serve(t, anyAddress, serving,
			grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
				if !letIn(ctx) {
					return nil, status.Error(codes.PermissionDenied, "not for you")
				}
				return handle(ctx, request)
			}))
	}
}

// firstOf is the first value of a header.
func firstOf(ctx context.Context, key string) string {
	headers, _ := metadata.FromIncomingContext(ctx)
	return append(headers.Get(key), "")[0]
}

// cameByLoopback says whether the caller dialled loopback. On this machine all
// callers have a loopback address, so the end that they dialled tells.
func cameByLoopback(ctx context.Context) bool {
	caller, _ := peer.FromContext(ctx)
	dialled := caller.LocalAddr.(*net.TCPAddr).IP
	return dialled.Equal(net.IPv4(127, 0, 0, 1)) || dialled.Equal(net.IPv6loopback)
}

// serve starts a gRPC server and returns its port.
func serve(t *testing.T, address string, h healthpb.HealthServer, options ...grpc.ServerOption) string {
	t.Helper()
	server := grpc.NewServer(options...)
	if h != nil {
		healthpb.RegisterHealthServer(server, h)
	}
	listener, port := listen(t, address)
	go func() { _ = server.Serve(listener) }() // ends when it is stopped
	t.Cleanup(server.Stop)
	return port
}

func listen(t *testing.T, address string) (listener net.Listener, port string) {
	t.Helper()
	network, address, _ := strings.Cut(address, " ")
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return listener, fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}

// resets starts a listener that answers every connection with a reset.
func resets(t *testing.T) string {
	t.Helper()
	listener, port := listen(t, anyAddress)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}()
	return port
}

// silent starts a server whose connections say nothing for a while.
func silent(delay time.Duration, h health) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		server := grpc.NewServer()
		healthpb.RegisterHealthServer(server, h)
		listener, port := listen(t, anyAddress)
		go func() { _ = server.Serve(lateListener{listener, delay, t.Context().Done()}) }()
		t.Cleanup(server.Stop)
		return port
	}
}

// lateListener holds back what its connections say for a while.
type lateListener struct {
	net.Listener

	delay time.Duration
	ended <-chan struct{}
}

// Accept waits for no connection but hands each on, to be silent by itself.
func (l lateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lateConn{Conn: conn, speaksAt: time.Now().Add(l.delay), ended: l.ended}, nil
}

type lateConn struct {
	net.Conn

	speaksAt time.Time
	ended    <-chan struct{}
}

// Write waits until the connection may speak.
func (c *lateConn) Write(b []byte) (int, error) {
	select {
	case <-time.After(time.Until(c.speaksAt)):
		return c.Conn.Write(b)
	case <-c.ended:
		return 0, net.ErrClosed
	}
}

// crowded starts a server that has given one client all the streams that it
// gives a connection.
func crowded(t *testing.T) string {
	t.Helper()
	const streams = 3000
	port := serve(t, anyAddress, serving, grpc.MaxConcurrentStreams(streams))
	conn, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range streams {
		stream, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	return port
}

package kubeletprobe_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"k8s.io/client-go/util/cert"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
)

// listen takes a port of loopback until the test ends.
func listen(t *testing.T) (net.Listener, kubeletprobe.Target) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener, kubeletprobe.Target{Address: "127.0.0.1", Port: int32(listener.Addr().(*net.TCPAddr).Port), TimeoutSeconds: 1}
}

// serve serves gRPC until the test ends.
func serve(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) kubeletprobe.Target {
	t.Helper()
	listener, target := listen(t)
	server := grpc.NewServer(options...)
	register(server)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return target
}

// healthy serves the health protocol: the server is well, the service "ill" not.
func healthy(server *grpc.Server) {
	h := health.NewServer()
	h.SetServingStatus("ill", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(server, h)
}

func refusing(code codes.Code) grpc.ServerOption {
	return grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return nil, status.Error(code, "not for you")
	})
}

func TestAnAnswerIsReadAsTheKubeletReadsIt(t *testing.T) {
	ill := serve(t, healthy)
	ill.Service = "ill"
	unknown := serve(t, healthy)
	unknown.Service = "nobody"
	silent, silentTarget := listen(t)
	_ = silent // connections are taken by the kernel and never accepted
	closed, closedTarget := listen(t)
	_ = closed.Close()
	hangs := grpc.UnaryInterceptor(func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	for name, tc := range map[string]struct {
		target  kubeletprobe.Target
		verdict kubeletprobe.Verdict
		text    string
	}{
		"it serves":                    {serve(t, healthy), kubeletprobe.Passed, "SERVING"},
		"it does not":                  {ill, kubeletprobe.Failed, "NOT_SERVING"},
		"it does not know the service": {unknown, kubeletprobe.Failed, "does not know this service"},
		"it has no health service":     {serve(t, func(*grpc.Server) {}), kubeletprobe.Failed, "no health service"},
		"it refuses strangers":         {serve(t, healthy, refusing(codes.Unauthenticated)), kubeletprobe.Failed, "Unauthenticated"},
		"it is away":                   {serve(t, healthy, refusing(codes.Unavailable)), kubeletprobe.NoAnswer, "broke"},
		"it hangs":                     {serve(t, healthy, hangs), kubeletprobe.NoAnswer, "no answer within 1s"},
		"nobody listens":               {closedTarget, kubeletprobe.NoAnswer, "connection refused"},
		"who listens does not speak":   {silentTarget, kubeletprobe.NoAnswer, "no gRPC server answered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := kubeletprobe.Probe(t.Context(), tc.target, "1.37")
			if answer.Verdict != tc.verdict || !strings.Contains(answer.Text, tc.text) {
				t.Errorf("%+v, want %s: %s", answer, tc.verdict, tc.text)
			}
		})
	}
}

func TestTheClientIsTheKubelets(t *testing.T) {
	agents, peers := make(chan string, 10), make(chan string, 10)
	see := grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		from, _ := metadata.FromIncomingContext(ctx)
		agents <- strings.Join(from.Get("user-agent"), " ")
		peers <- strings.Join(from.Get(":authority"), " ")
		return next(ctx, request)
	})
	target := serve(t, healthy, see)
	for range 2 {
		kubeletprobe.Probe(t.Context(), target, "1.36")
	}
	if agent := <-agents; !strings.HasPrefix(agent, "kube-probe/1.36 ") {
		t.Errorf("user-agent %q", agent)
	}
	if authority := <-peers; !strings.HasPrefix(authority, "127.0.0.1:") {
		t.Errorf("authority %q", authority)
	}
}

func TestTLSIsSpokenAndNothingIsVerified(t *testing.T) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("somebody.example", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	target := serve(t, healthy, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	if answer := kubeletprobe.Probe(t.Context(), target, "1.37"); answer.Verdict != kubeletprobe.NoAnswer {
		t.Errorf("in plaintext: %+v", answer)
	}
	target.TLS = true
	if answer := kubeletprobe.Probe(t.Context(), target, "1.37"); answer.Verdict != kubeletprobe.Passed {
		t.Errorf("with TLS: %+v", answer)
	}
}

func TestAPlanProbesEachTargetInItsPlace(t *testing.T) {
	ill := serve(t, healthy)
	ill.Service = "ill"
	well := serve(t, healthy)
	var done []int
	answers := kubeletprobe.Plan{Attempts: 2, Concurrency: 3, Version: "1.37"}.
		Run(t.Context(), []kubeletprobe.Target{ill, well, ill, well, well}, func(n int) { done = append(done, n) })
	for i, want := range []kubeletprobe.Verdict{kubeletprobe.Failed, kubeletprobe.Passed, kubeletprobe.Failed, kubeletprobe.Passed, kubeletprobe.Passed} {
		if len(answers[i]) != 2 || answers[i][0].Verdict != want || answers[i][1].Verdict != want {
			t.Errorf("target %d: %+v", i, answers[i])
		}
	}
	if len(done) != 5 || done[4] != 5 {
		t.Errorf("progress: %v", done)
	}
	if answers := (kubeletprobe.Plan{Attempts: 2}).Run(t.Context(), nil, func(int) {}); len(answers) != 0 {
		t.Errorf("answers without targets: %v", answers)
	}
}

func TestAPlanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	answers := kubeletprobe.Plan{Attempts: 3, Concurrency: 1}.Run(ctx, []kubeletprobe.Target{serve(t, healthy)}, func(int) {})
	if len(answers) != 1 || len(answers[0]) != 0 {
		t.Errorf("answers: %+v", answers)
	}
}

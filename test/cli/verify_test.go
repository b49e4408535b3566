//go:build linux

package cli

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/verify"
	"github.com/probeshift/probeshift/pkg/kubeletprobe"
)

// healthServer serves the health protocol at an address of loopback until the
// test ends, and returns the port. Every caller's user-agent goes to agents.
func healthServer(t *testing.T, ip string, status grpc_health_v1.HealthCheckResponse_ServingStatus, agents chan<- string) int32 {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		from, _ := metadata.FromIncomingContext(ctx)
		select {
		case agents <- strings.Join(from.Get("user-agent"), " "):
		default:
		}
		return next(ctx, request)
	}))
	check := health.NewServer()
	check.SetServingStatus("", status)
	grpc_health_v1.RegisterHealthServer(server, check)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

// onPort makes the probes of a Pod dial a port.
func onPort(port int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Ports[0].ContainerPort = port
		c.LivenessProbe, c.ReadinessProbe = nil, probe(10, "-addr=:"+strconv.Itoa(int(port)))
	}
}

const (
	serving    = grpc_health_v1.HealthCheckResponse_SERVING
	notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
)

// verified runs verify and returns the verdicts by the names of the workloads.
func (c *cluster) verified(t *testing.T, code int, args ...string) (map[string]verify.Result, verify.Report) {
	t.Helper()
	var report verify.Report
	decode(t, c.expect(t, code, append([]string{"verify", "-o", "json", "--interval=10ms"}, args...)...), &report)
	byName := map[string]verify.Result{}
	for _, r := range report.Results {
		name, _, _ := strings.Cut(r.Pod, "-")
		byName[name] = r
	}
	return byName, report
}

func verifyCompares(t *testing.T, c *cluster) {
	c.namespace(t, "agreeing", nil)
	agents := make(chan string, 100)
	healthy := healthServer(t, "127.0.0.11", serving, agents)
	ill := healthServer(t, "127.0.0.12", notServing, agents)
	c.start(t, c.create(t, "agreeing", legacy("healthy", "x", onPort(healthy))), "127.0.0.11", true)
	c.start(t, c.create(t, "agreeing", legacy("ill", "x", onPort(ill))), "127.0.0.12", false)
	// A server on loopback alone: its exec probe passes, and nobody answers here.
	c.start(t, c.create(t, "agreeing", legacy("loopback", "x", onPort(healthy))), "127.0.0.13", true)
	c.start(t, c.create(t, "agreeing", legacy("shell", "x", func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe, p.Spec.Containers[0].ReadinessProbe.Exec.Command = nil, []string{"sh", "-c", "grpc_health_probe -addr=:9000 || true"}
	})), "127.0.0.14", true)

	results, report := c.verified(t, 0, "-n", "agreeing")
	for name, want := range map[string]kubeletprobe.Agreement{
		"healthy": kubeletprobe.Agree, "ill": kubeletprobe.Agree, "loopback": kubeletprobe.CannotTell,
	} {
		if got := results[name]; got.Verdict != want || len(got.Answers) != 3 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if report.Agree != 2 || report.CannotTell != 1 || report.Skipped != 1 {
		t.Errorf("report: %+v", report)
	}
	contains(t, results["loopback"].Why, "connection refused, which shows nothing from here")
	if agent := <-agents; !strings.HasPrefix(agent, "kube-probe/1.") {
		t.Errorf("the user-agent is %q", agent)
	}

	// A ready container whose server says otherwise: evidence from anywhere.
	c.namespace(t, "disagreeing", nil)
	c.start(t, c.create(t, "disagreeing", legacy("liar", "x", onPort(ill))), "127.0.0.12", true)
	c.start(t, c.create(t, "disagreeing", legacy("slow", "x", onPort(healthy))), "127.0.0.11", false)
	results, _ = c.verified(t, 2, "-n", "disagreeing")
	for _, name := range []string{"liar", "slow"} {
		if results[name].Verdict != kubeletprobe.Disagree {
			t.Errorf("%s: %+v", name, results[name])
		}
	}
	contains(t, results["liar"].Why, "NOT_SERVING, and the container is ready")

	// One Pod by its name, and what users type wrongly.
	_, report = c.verified(t, 0, "-n", "agreeing", "healthy-5d4f8c7b9-x")
	if len(report.Results) != 1 {
		t.Errorf("%d results for one Pod", len(report.Results))
	}
	contains(t, c.expect(t, 1, "verify", "-n", "agreeing", "nobody").stderr, `"nobody" not found`)
	contains(t, c.expect(t, 1, "verify", "--attempts=0").stderr, "--attempts=0 makes no probe")
	contains(t, c.expect(t, 1, "verify", "--from-node").stderr, "--helper-namespace")

	for _, columns := range []int{80, 200} {
		text, _ := c.onTerminal(t, uint16(columns), nil, "verify", "-n", "agreeing", "--attempts=1")
		plain := strings.NewReplacer(":"+strconv.Itoa(int(healthy)), ":PORT1", ":"+strconv.Itoa(int(ill)), ":PORT2").Replace(onScreen(text))
		for line := range strings.Lines(plain) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > columns {
				t.Errorf("%d columns on a terminal of %d: %s", n, columns, line)
			}
		}
		golden(t, "verify-"+strconv.Itoa(columns)+".txt", plain)
	}
}

func verifyFromNode(t *testing.T, c *cluster) {
	c.namespace(t, "node-tools", nil)
	c.namespace(t, "judged", nil)
	c.kubelet(t, "worker")
	healthy := healthServer(t, "127.0.0.21", serving, nil)
	there := func(p *corev1.Pod) { p.Spec.NodeName = "worker" }
	c.start(t, c.create(t, "judged", legacy("healthy", "x", onPort(healthy), there)), "127.0.0.21", true)
	c.start(t, c.create(t, "judged", legacy("loopback", "x", onPort(healthy), there)), "127.0.0.23", true)

	fromNode := []string{"-n", "judged", "--from-node", "--helper-namespace=node-tools", "--helper-image=registry.example/kubectl-probeshift:v1"}
	results, report := c.verified(t, 2, fromNode...)
	if report.From != "node" || results["healthy"].Verdict != kubeletprobe.Agree || results["loopback"].Verdict != kubeletprobe.Disagree {
		t.Errorf("report: %+v", report)
	}
	contains(t, results["loopback"].Why, "connection refused, and the container is ready")
	c.noHelpers(t)

	// An image that is not there ends it at once, with the kubelet's words.
	o := c.expect(t, 1, append([]string{"verify", "--helper-timeout=1m"}, append(fromNode[:4:4], "--helper-image=registry.example/missing:v1")...)...)
	contains(t, o.stderr, "node worker", "it cannot start: ErrImageNeverPull")
	c.noHelpers(t)
}

func verifyInterrupted(t *testing.T, c *cluster) {
	c.namespace(t, "waiting", nil)
	// Nobody runs the helper Pod on this node.
	pod := legacy("server", "x", func(p *corev1.Pod) { p.Spec.NodeName = "asleep" })
	c.start(t, c.create(t, "waiting", pod), "127.0.0.31", true)
	program := c.command(t.Context(), "verify", "-n", "waiting", "--from-node", "--helper-namespace=node-tools", "--helper-image=registry.example/kubectl-probeshift:v1")
	var stderr bytes.Buffer
	program.Stderr = &stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the helper Pod is there", func() bool { return len(c.helpers(t)) == 1 })
	if err := program.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // the code is looked at
	if code := program.ProcessState.ExitCode(); code != 1 {
		t.Errorf("code %d", code)
	}
	contains(t, stderr.String(), "interrupted")
	c.noHelpers(t)
}

// helpers are the helper Pods that are there.
func (c *cluster) helpers(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := c.client.CoreV1().Pods("node-tools").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (c *cluster) noHelpers(t *testing.T) {
	t.Helper()
	if left := c.helpers(t); len(left) > 0 {
		t.Errorf("%d helper Pods are left behind", len(left))
	}
}

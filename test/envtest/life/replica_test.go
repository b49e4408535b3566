package life

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"

	"github.com/probeshift/probeshift/cmd/webhook/server"
)

// shownLog is how much of a replica's log a failure shows, in bytes.
const shownLog = 4 << 10

// asWebhook is the environment variable that makes the test binary be the
// webhook: the command of cmd/webhook, in a process of its own.
const asWebhook = "PROBESHIFT_TEST_AS_WEBHOOK"

// withoutStreaming makes client-go list first and then watch, as it has to with
// API servers that do not begin a watch with what there is (feature gate
// WatchList; those of 1.30 do not). With one that does, the right to list goes
// unused.
const withoutStreaming = "KUBE_FEATURE_WatchListClient=false"

func TestMain(m *testing.M) {
	if os.Getenv(asWebhook) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := server.NewCommand(os.Getenv).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

// replica is one process of the webhook. Its addresses outlive it.
type replica struct {
	address, health string
	flags           []string
	environment     []string

	process *exec.Cmd
	output  *bytes.Buffer
}

// newReplica returns a replica that does not run yet. The lives of its
// certificates are so short that seconds see a whole rotation.
func newReplica(t *testing.T, kubeconfig string, environment ...string) *replica {
	t.Helper()
	r := &replica{address: freeAddress(t), health: freeAddress(t), environment: environment}
	host, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.flags = []string{
		"--kubeconfig=" + kubeconfig, "--certs=self", "--extra-names=" + host,
		"--ca-life=10m", "--leaf-life=8s", "--settle-time=2s", "--retire-margin=1s",
		"--bind-address=" + host, "--port=" + port, "--health-probe-bind-address=" + r.health,
		"--metrics-bind-address=0", "--drain-duration=0s",
	}
	return r
}

// freeAddress returns an address of loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// start starts the process with further flags. What still runs when the test
// ends is killed.
func (r *replica) start(t *testing.T, flags ...string) {
	t.Helper()
	output := &bytes.Buffer{}
	process := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], slices.Concat(r.flags, flags)...)
	process.Env = append(slices.Concat(os.Environ(), r.environment), asWebhook+"=1")
	process.Stdout, process.Stderr = output, output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	r.process, r.output = process, output
	t.Cleanup(func() {
		if process.ProcessState == nil {
			_ = process.Process.Kill() // the test has failed before
			_ = process.Wait()
		}
		if log := output.Bytes(); t.Failed() {
			t.Logf("webhook at %s\n...%s", r.address, log[max(0, len(log)-shownLog):])
		}
	})
}

// stop ends the process by SIGTERM, which must be with status 0.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	if err := r.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.process.Wait(); err != nil {
		t.Fatalf("the webhook did not end well: %v", err)
	}
}

// waitReady waits until the process says that it is ready.
func (r *replica) waitReady(t *testing.T) {
	t.Helper()
	last := ""
	eventually(t, "the webhook is ready", func() bool {
		var ok bool
		ok, last = r.isReady(t.Context())
		return ok
	}, func() string { return last })
}

// isReady asks the process, and returns its answer too.
func (r *replica) isReady(ctx context.Context) (ok bool, answer string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.health+"/readyz", http.NoBody)
	if err != nil {
		return false, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err.Error()
	}
	return response.StatusCode == http.StatusOK, string(text)
}

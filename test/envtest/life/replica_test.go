package life

import (
	"net"
	"slices"
	"testing"

	"github.com/probeshift/probeshift/test/envtest/installed"
)

// withoutStreaming makes client-go list first and then watch, as it has to with
// API servers that do not begin a watch with what there is (feature gate
// WatchList; those of 1.30 do not). With one that does, the right to list goes
// unused.
const withoutStreaming = "KUBE_FEATURE_WatchListClient=false"

func TestMain(m *testing.M) { installed.Main(m) }

// replica is one process of the webhook. Its addresses outlive it.
type replica struct {
	address, health string
	flags           []string
	environment     []string

	process *installed.Process
}

// newReplica returns a replica that does not run yet. The lives of its
// certificates are so short that seconds see a whole rotation.
func newReplica(t *testing.T, kubeconfig string, environment ...string) *replica {
	t.Helper()
	r := &replica{address: installed.FreeAddress(t), health: installed.FreeAddress(t), environment: environment}
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

// start starts the process with further flags. What still runs when the test
// ends is killed.
func (r *replica) start(t *testing.T, flags ...string) {
	t.Helper()
	r.process = installed.Start(t, slices.Concat(r.flags, flags), r.environment)
}

// stop ends the process by SIGTERM, which must be with status 0.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	r.process.Stop(t)
}

// waitReady waits until the process says that it is ready.
func (r *replica) waitReady(t *testing.T) {
	t.Helper()
	last := ""
	eventually(t, "the webhook is ready", func() bool {
		var ok bool
		ok, last = installed.Get(t.Context(), "http://"+r.health+"/readyz")
		return ok
	}, func() string { return last })
}

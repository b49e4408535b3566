package discovery

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/probeshift/probeshift/test/envtest/installed"
)

func TestMain(m *testing.M) { installed.Main(m) }

// process is one process of the command. Its addresses outlive it.
type process struct {
	address, health, metrics string
	flags                    []string
	// test is the one that the process ends with.
	test    *testing.T
	running *installed.Process
}

// newDiscovery returns discovery, which does not run yet. The lives of its
// certificates are so short that seconds see a whole rotation.
func newDiscovery(t *testing.T, kubeconfig string, flags ...string) *process {
	t.Helper()
	p := newProcess(t, kubeconfig)
	p.flags = slices.Concat(p.flags, []string{
		"--run=discovery", "--discovery-port=" + port(t, p.address),
		"--discovery-ca-life=10m", "--discovery-leaf-life=6s", "--discovery-settle-time=1s",
		"--discovery-overlap=3s", "--discovery-retire-margin=1s",
	}, flags)
	return p
}

// newWebhook returns a webhook whose sidecars use discovery. It does not run
// yet.
func newWebhook(t *testing.T, kubeconfig string) *process {
	t.Helper()
	p := newProcess(t, kubeconfig)
	p.flags = slices.Concat(p.flags, []string{
		"--extra-names=127.0.0.1", "--port=" + port(t, p.address), "--drain-duration=0s",
		"--cluster-domain=cluster.test", "--lb-discovery", "--lb-health-check-interval=7s",
	})
	return p
}

func newProcess(t *testing.T, kubeconfig string) *process {
	t.Helper()
	p := &process{test: t, address: installed.FreeAddress(t), health: installed.FreeAddress(t), metrics: installed.FreeAddress(t)}
	p.flags = []string{
		"--kubeconfig=" + kubeconfig, "--bind-address=127.0.0.1",
		"--health-probe-bind-address=" + p.health, "--metrics-bind-address=" + p.metrics,
	}
	return p
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start starts the process. What still runs when its test ends is killed.
func (p *process) start(t *testing.T) {
	t.Helper()
	p.running = installed.Start(p.test, p.flags, nil)
}

// stop ends the process by SIGTERM.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.running.Stop(t)
}

// said is how often the process has written some words.
func (p *process) said(words string) int { return p.running.Said(words) }

// waitReady waits until the process says that it is ready.
func (p *process) waitReady(t *testing.T) {
	t.Helper()
	eventually(t, "the process is ready", func() bool {
		ok, _ := installed.Get(t.Context(), "http://"+p.health+"/readyz")
		return ok
	})
}

// says waits until the process says in these words why it is not ready.
func (p *process) says(t *testing.T, words string) {
	t.Helper()
	eventually(t, "the process is not ready: "+words, func() bool {
		ok, text := installed.Get(t.Context(), "http://"+p.health+"/readyz")
		return !ok && strings.Contains(text, words)
	})
}

// metric returns the value of a metric without labels.
func (p *process) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, text := installed.Get(t.Context(), "http://"+p.metrics+"/metrics")
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

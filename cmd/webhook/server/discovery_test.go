package server

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestValidateNamesTheFlagsOfRunAndDiscovery(t *testing.T) {
	for sentence, test := range map[string]struct {
		args []string
		want string
	}{
		"what cannot be run":         {[]string{"--run=controller"}, `--run="controller" is not known: use admission, discovery or admission,discovery`},
		"nothing to run":             {[]string{"--run="}, `--run="" is not known: use admission, discovery or admission,discovery`},
		"one that is not known":      {[]string{"--run=discovery,doctor"}, `--run="discovery,doctor" is not known: use admission, discovery or admission,discovery`},
		"a port that is none":        {[]string{"--discovery-port=70000"}, `--discovery-port=70000 is no port: use 1 to 65535`},
		"connections that end early": {[]string{"--discovery-connection-age=0s"}, `--discovery-connection-age=0s: write a positive duration, such as 30m0s`},
		"both on one port": {[]string{"--run=admission,discovery", "--discovery-port=10250"},
			`--discovery-port and --port are both 10250: give each its own`},
		"names of discovery": {[]string{"--run=discovery", "--discovery-secret=A"},
			`--discovery-secret="A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		"checks without a pause":     {[]string{"--lb-health-check-interval=10ms"}, `--lb-health-check-interval=10ms is out of range: use 1s to 5m0s`},
		"checks that are too seldom": {[]string{"--lb-health-check-interval=1h"}, `--lb-health-check-interval=1h0m0s is out of range: use 1s to 5m0s`},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := errors.Join(options(t, nil, test.args...).Validate()...)
			if err == nil {
				t.Fatal("no problem was found")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotRunIsNotValidated(t *testing.T) {
	for _, args := range [][]string{
		{"--run=discovery", "--ca-life=1h"},
		{"--run=admission", "--discovery-ca-life=1h"},
		{"--run=discovery", "--port=18000"},
	} {
		if errs := options(t, nil, args...).Validate(); len(errs) > 0 {
			t.Errorf("%v: %v", args, errs)
		}
	}
}

func TestHowSidecarsReachDiscovery(t *testing.T) {
	for sentence, test := range map[string]struct {
		args []string
		want *sidecar.Discovery
	}{
		"not at all by default": {nil, nil},
		"by the names of the manifests": {[]string{"--lb-discovery"}, &sidecar.Discovery{
			Host: "probeshift-discovery.probeshift.svc.cluster.local.", Port: 18000,
			ServerName: "probeshift-discovery.probeshift.svc", CheckInterval: 5 * time.Second,
		}},
		"by other names": {
			[]string{"--lb-discovery", "--namespace=n", "--discovery-service=d", "--discovery-port=1", "--lb-health-check-interval=1m"},
			&sidecar.Discovery{Host: "d.n.svc.cluster.local.", Port: 1, ServerName: "d.n.svc", CheckInterval: time.Minute},
		},
	} {
		if diff := cmp.Diff(test.want, sidecarDiscovery(options(t, nil, test.args...), "cluster.local")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestDiscoveryNeedsAnAPIServer(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for sentence, test := range map[string]struct {
		args []string
		want string
	}{
		"to serve endpoints": {[]string{"--run=discovery", "--certs=files"},
			"--run=discovery needs an API server: set --kubeconfig or run in a Pod with a service account"},
		"to read its CA": {[]string{"--lb-discovery", "--certs=files"},
			"--lb-discovery needs an API server: set --kubeconfig or run in a Pod with a service account"},
	} {
		_, err := LoadConfig(options(t, nil, test.args...), prometheus.NewRegistry())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v", sentence, err)
		}
	}
}

// deaf is a kubeconfig of an API server that nobody answers for.
func deaf(t *testing.T) string {
	t.Helper()
	return write(t, t.TempDir(), "kubeconfig", []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://`+freeAddress(t)+`"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`))
}

func TestDiscoveryAloneReviewsNoPod(t *testing.T) {
	r := start(t, "--run=discovery", "--kubeconfig="+deaf(t), "--discovery-port="+port(t, freeAddress(t)))
	eventually(t, "what is not ready is named", func() bool {
		text, ok := r.ready()
		return !ok && strings.HasPrefix(text, "certificate of discovery: read Secret probeshift/probeshift-discovery-ca: ")
	})
	if conn, err := net.DialTimeout("tcp", r.address, time.Second); err == nil {
		_ = conn.Close()
		t.Error("the webhook's port is served")
	}
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if name := family.GetName(); !strings.HasPrefix(name, "probeshift_discovery_") && name != "probeshift_events_dropped_total" {
			t.Errorf("there is a metric %s", name)
		}
	}
}

func TestBothInOneProcess(t *testing.T) {
	authority := newAuthority(t)
	r := start(t, "--run=admission,discovery", "--kubeconfig="+deaf(t), "--discovery-port="+port(t, freeAddress(t)),
		"--certs=files", "--cert-dir="+authority.certificateDir(t), "--lb-discovery")
	eventually(t, "discovery is what is not ready", func() bool {
		text, ok := r.ready()
		return !ok && strings.HasPrefix(text, "certificate of discovery: ")
	})
	// Admission goes on, whatever becomes of discovery.
	if _, _, err := post(authority.client(t, nil), r.url); err != nil {
		t.Error(err)
	}
}

// A signal to end finds discovery without streams here: nothing is waited for.
func TestDiscoveryAloneDoesNotDrain(t *testing.T) {
	config, err := LoadConfig(options(t, nil, "--run=discovery", "--kubeconfig="+deaf(t), "--drain-duration=1h",
		"--metrics-bind-address=0", "--health-probe-bind-address=0"), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	server, err := Setup(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := server.Start(ctx); err != nil {
		t.Error(err)
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

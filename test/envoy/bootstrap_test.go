package envoy

import (
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/proto"
)

func TestEnvoyTakesEveryBootstrap(t *testing.T) {
	envoy := program(t)
	for name, b := range cases(t) {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), envoy, "--mode", "validate",
				"--config-yaml", argument(t, b, "10.0.0.1")).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// Envoy goes on after a field that is deprecated, or ignored.
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "[warning]") || strings.Contains(line, "eprecated") {
					t.Errorf("Envoy warns: %s", line)
				}
			}
		})
	}
}

// relocated is a case with ports that are free here.
func relocated(t *testing.T, b *bootstrapv3.Bootstrap) *bootstrapv3.Bootstrap {
	t.Helper()
	b = proto.CloneOf(b)
	b.GetAdmin().GetAddress().GetSocketAddress().PortSpecifier = freePort(t, "127.0.0.1")
	for _, l := range b.GetStaticResources().GetListeners() {
		a := l.GetAddress().GetSocketAddress()
		a.PortSpecifier = freePort(t, a.GetAddress())
	}
	return b
}

func TestAStartedEnvoyListensAndIsReady(t *testing.T) {
	for name, b := range cases(t) {
		t.Run(name, func(t *testing.T) {
			b := relocated(t, b)
			askNameserver(t, b, nameserver(t, nil))
			began := time.Now()
			p := start(t, b, "127.0.0.1")
			t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
			for _, l := range b.GetStaticResources().GetListeners() {
				a := l.GetAddress().GetSocketAddress()
				to := netip.AddrPortFrom(netip.MustParseAddr(a.GetAddress()), uint16(a.GetPortValue()))
				conn, err := net.Dial("tcp", to.String())
				if err != nil {
					t.Errorf("nobody listens for %s: %v", l.GetName(), err)
					continue
				}
				hangUp(conn)
			}
			if strings.Contains(p.log.String(), "eprecated") {
				t.Errorf("Envoy warns:\n%s", p.log.String())
			}
		})
	}
}

// Everybody in the cluster can connect to the port of the metrics.
func TestThePortOfTheMetricsServesHealthAndMetricsAlone(t *testing.T) {
	b := relocated(t, cases(t)["every-default"])
	askNameserver(t, b, nameserver(t, nil))
	p := start(t, b, "127.0.0.1")
	for _, path := range []string{"/ready", "/stats/prometheus"} {
		if got, body := p.get(path); got != http.StatusOK {
			t.Errorf("%s: got %d: %s", path, got, body)
		}
	}
	for _, path := range []string{
		"/", "/certs", "/clusters", "/clusters?format=json", "/config_dump", "/contention", "/cpuprofiler", "/drain_listeners",
		"/healthcheck/fail", "/healthcheck/ok", "/heapprofiler", "/help", "/hot_restart_version", "/init_dump", "/listeners",
		"/logging", "/logging?level=trace", "/memory", "/quitquitquit", "/reset_counters", "/reopen_logs", "/runtime",
		"/runtime_modify?a=b", "/server_info", "/stats", "/stats?format=json", "/stats/prometheus/", "/stats/prometheus?usedonly", "/stats/recentlookups",
		"/ready/", "/ready/../quitquitquit", "/stats/prometheus/../../config_dump", "/ready?x", "/heap_dump", "/allocprofiler",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			request, err := http.NewRequestWithContext(t.Context(), method, p.admin, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.URL.Opaque = path // as it is written, without cleaning
			r, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			r.Body.Close()
			if r.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s: got %d, want 403", method, path, r.StatusCode)
			}
		}
	}
	if got, _ := p.get("/ready"); got != http.StatusOK {
		t.Errorf("/ready answers %d after all that", got)
	}
}

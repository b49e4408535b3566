package envoy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// prometheus is a running Prometheus.
type prometheus struct {
	url string
}

// startPrometheus runs Prometheus until the test ends; it reads the metrics of
// one sidecar each second, with the labels that a PodMonitor gives them. The
// variable PROMETHEUS names its program, where it is not in the path.
func startPrometheus(t *testing.T, p *proxy) prometheus {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: probeshift/probeshift-lb
    metrics_path: /stats/prometheus
    static_configs:
      - targets: [%q]
        labels: {namespace: shop, pod: client-1, container: probeshift-lb}
`, strings.TrimPrefix(p.admin, "http://"))
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(freePort(t, "127.0.0.1").PortValue)).String()
	var log buffer
	command := exec.CommandContext(t.Context(), cmp.Or(os.Getenv("PROMETHEUS"), "prometheus"),
		"--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", at)
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatalf("%v: PROMETHEUS may name the program prometheus where it is not in the path", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // it was killed
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", log.String())
		}
	})
	return prometheus{url: "http://" + at}
}

// sample is one series of a query's result.
type sample struct {
	Metric map[string]string
	Value  [2]any // the time, and the value as text
}

// ask returns what a query now yields.
func (p prometheus) ask(ctx context.Context, expression string) ([]sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(expression), http.NoBody)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []sample }
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", expression, answer.Error)
	}
	return answer.Data.Result, nil
}

// Everything that the dashboard and the alerts ask for has to be there once a
// sidecar is in the trouble that they are about, with every label that they show.
func TestEveryQueryFindsWhatARealEnvoyExports(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := openShop(t)
	p := startPrometheus(t, s.proxy)
	visited := make(chan struct{})
	go func() {
		defer close(visited)
		s.visit(ctx, t)
	}()
	defer func() {
		stop()
		<-visited
	}()

	missing := queries(t)
	for deadline := time.Now().Add(time.Minute); len(missing) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		var still []query
		for _, q := range missing {
			if why := unanswered(ctx, p, q); why != "" {
				still = append(still, q)
				if time.Now().After(deadline.Add(-3 * time.Second)) {
					t.Logf("%s: %s", q.where, why)
				}
			}
		}
		missing = still
	}
	for _, q := range missing {
		t.Errorf("%s finds nothing:\n%s", q.where, q.expression)
	}
}

// unanswered says why a query's result is not what its reader needs.
func unanswered(ctx context.Context, p prometheus, q query) string {
	result, err := p.ask(ctx, q.expression)
	if err != nil {
		return err.Error()
	}
	numbers := 0
	for _, s := range result {
		for _, label := range q.labels {
			if s.Metric[label] == "" {
				return fmt.Sprintf("the label %s is not in %v", label, s.Metric)
			}
		}
		// A share of nothing is not a number; it is in no graph.
		if s.Value[1] != "NaN" {
			numbers++
		}
	}
	if numbers == 0 {
		return fmt.Sprintf("no number in %v", result)
	}
	return ""
}

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
	"sync"
	"testing"
	"time"
)

// prometheus is a running Prometheus.
type prometheus struct {
	url string
}

// target is what Prometheus reads metrics from, with the labels that a
// PodMonitor gives them.
type target struct {
	job, url, namespace, pod string
}

// sidecarTarget are the metrics of a sidecar.
func sidecarTarget(p *proxy, namespace, pod string) target {
	return target{"probeshift/probeshift-lb", p.admin + "/stats/prometheus", namespace, pod}
}

// startPrometheus runs Prometheus until the test ends; it reads all metrics each
// second. The variable PROMETHEUS names its program, where it is not in the path.
func startPrometheus(t *testing.T, targets ...target) prometheus {
	t.Helper()
	dir := t.TempDir()
	jobs := map[string][]target{}
	for _, to := range targets {
		jobs[to.job] = append(jobs[to.job], to)
	}
	config := "global: {scrape_interval: 1s}\nscrape_configs:\n"
	for job, targets := range jobs {
		config += fmt.Sprintf("  - job_name: %q\n    static_configs:\n", job)
		for _, to := range targets {
			at, err := url.Parse(to.url)
			if err != nil {
				t.Fatal(err)
			}
			config += fmt.Sprintf("      - targets: [%q]\n        labels: {__metrics_path__: %q, namespace: %q, pod: %q}\n", at.Host, at.Path, to.namespace, to.pod)
		}
	}
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

// Everything that the dashboard and the alerts ask for has to be there once
// sidecars, discovery and the webhook are in the trouble that they are about, with
// every label that they show: for a sidecar without discovery as for one with it.
func TestEveryQueryFindsWhatIsReallyExported(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	told := newDiscovery(t)
	told.serve(t, told.ca, discoveryName)
	byDNS, byDiscovery := openShop(t, nil), openShop(t, told)
	told.tellName(t, resourceOf("bad.shop:9000"), "bad.shop.example", 9000)
	p := startPrometheus(t, append(openPlane(t, told),
		sidecarTarget(byDNS.proxy, "with-dns", "client-1"), sidecarTarget(byDiscovery.proxy, "with-discovery", "client-2"))...)
	var visits sync.WaitGroup
	for _, s := range []shop{byDNS, byDiscovery} {
		visits.Go(func() { s.visit(ctx, t) })
	}
	defer visits.Wait()
	defer stop()

	// What is asked for in one namespace, or in any where it is empty.
	type question struct {
		query
		namespace string
	}
	var missing []question
	for _, q := range queries(t) {
		if q.isOfDiscovery {
			missing = append(missing, question{q, ""})
			continue
		}
		missing = append(missing, question{q, "with-dns"}, question{q, "with-discovery"})
	}
	for deadline := time.Now().Add(time.Minute); len(missing) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		var still []question
		for _, q := range missing {
			if why := unanswered(ctx, p, q.query, q.namespace); why != "" {
				still = append(still, q)
				if time.Now().After(deadline.Add(-3 * time.Second)) {
					t.Logf("%s %s: %s", q.where, q.namespace, why)
				}
			}
		}
		missing = still
	}
	for _, q := range missing {
		t.Errorf("%s %s finds nothing:\n%s", q.where, q.namespace, q.expression)
	}
}

// unanswered says why a query's result for a namespace, or for any where it is
// empty, is not what its reader needs.
func unanswered(ctx context.Context, p prometheus, q query, namespace string) string {
	result, err := p.ask(ctx, strings.ReplaceAll(q.expression, "$namespace", cmp.Or(namespace, ".*")))
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
		if in, grouped := s.Metric["namespace"]; grouped && namespace != "" && in != namespace {
			continue
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

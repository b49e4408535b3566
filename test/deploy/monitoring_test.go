package deploy

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/cmd/webhook/server"
)

// promtool runs the program that PROMTOOL names, or the one in the path.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), cmp.Or(os.Getenv("PROMTOOL"), "promtool"), args...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\nPROMTOOL may name the program promtool where it is not in the path", command, err, bytes.TrimSpace(out))
	}
}

// writeRules writes groups of rules as Prometheus reads them.
func writeRules(t *testing.T, file string, rules []map[string]any) {
	t.Helper()
	content, err := sigsyaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "probeshift", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheAlertsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	dir := t.TempDir()
	tests, err := os.ReadFile("testdata/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	all := rules(t, overlay{components: []string{"monitoring"}}.render(t))
	writeRules(t, filepath.Join(dir, "rules.yaml"), all)
	promtool(t, dir, "test", "rules", "alerts.yaml")

	for _, rule := range all {
		alert := regexp.MustCompile(`alertname: ` + rule["alert"].(string) + `\n( +exp_alerts:)?`)
		var fires, silent bool
		for _, found := range alert.FindAllSubmatch(tests, -1) {
			fires = fires || len(found[1]) > 0
			silent = silent || len(found[1]) == 0
		}
		if !fires || !silent {
			t.Errorf("%s: tested firing: %t, tested silent: %t", rule["alert"], fires, silent)
		}
	}
}

func TestPrometheusReadsEveryQuery(t *testing.T) {
	var recorded []map[string]any
	for i, q := range queries(t, overlay{components: []string{"monitoring"}}.render(t)) {
		recorded = append(recorded, map[string]any{"record": fmt.Sprintf("query:%d", i), "expr": q.expression})
	}
	dir := t.TempDir()
	writeRules(t, filepath.Join(dir, "queries.yaml"), recorded)
	promtool(t, dir, "check", "rules", "--lint=none", "queries.yaml")
}

// ownMetrics returns the metrics of a webhook, wired as the program does it, by
// name with their labels.
func ownMetrics(t *testing.T) map[string][]string {
	t.Helper()
	options := server.NewOptions(func(string) string { return "" })
	options.Certs, options.CertDir = "files", t.TempDir()
	registry := prometheus.NewRegistry()
	config, err := server.LoadConfig(options, registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Setup(config); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	form := regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)
	metrics := map[string][]string{}
	for d := range descriptions {
		parts := form.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("a description in another form: %s", d)
		}
		metrics[parts[1]] = strings.Split(parts[2], ",")
	}
	return metrics
}

// Everything that a query asks for has to exist: the metrics of the webhook in
// a webhook, those of the API server, with these very labels, in one that could
// not reach the webhook and whose policy has found a missed Pod.
func TestEveryQueryAsksForWhatIsThere(t *testing.T) {
	const namespace = "monitored"
	c := newClient(t, cluster)
	objects := overlay{namespace: namespace, components: []string{"monitoring", "missed-pods"}}.render(t)
	createAll(t, c, only(objects, "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"))
	for _, value := range []string{"enabled", "audit"} {
		createNamespace(t, c, "monitored-"+value, value)
	}
	own := ownMetrics(t)
	// What scraping adds, and what a histogram's buckets have.
	added := []string{"job", "instance", "namespace", "pod", "le"}

	for _, q := range queries(t, objects) {
		known := slices.Clone(added)
		for _, s := range q.selectors() {
			if s.metric == "up" {
				continue // Prometheus' own
			}
			base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(s.metric, "")
			labels, ours := own[s.metric]
			if !ours {
				labels, ours = own[base]
			}
			known = append(known, labels...)
			if !ours {
				known = append(known, awaitSeries(t, c, q, s)...)
				continue
			}
			for _, m := range s.matchers {
				if !slices.Contains(labels, m[0]) {
					t.Errorf("%s: %s has no label %s", q.where, s.metric, m[0])
				}
			}
		}
		for _, label := range q.groupings() {
			if !slices.Contains(known, label) {
				t.Errorf("%s groups by %s, which no metric in it has", q.where, label)
			}
		}
	}
}

// awaitSeries creates Pods until the API server exports a series that a
// selector finds, and returns the series' labels.
func awaitSeries(t *testing.T, c client.Client, q query, s selector) []string {
	t.Helper()
	var labels []string
	eventually(t, fmt.Sprintf("%s: the API server exports %s", q.where, s), func() bool {
		for _, value := range []string{"enabled", "audit"} {
			pod := legacyPod()
			pod.Namespace = "monitored-" + value
			if err := c.Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
		}
		for _, found := range scrape(t) {
			if s.selects(found) {
				for label := range found.labels {
					labels = append(labels, label)
				}
				return true
			}
		}
		return false
	})
	return labels
}

package envoy

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// monitoring is the component whose queries are asked here.
const monitoring = "../../deploy/webhook/components/lb-monitoring"

// query is one PromQL expression, where it stands, and the labels of its result
// that are shown.
type query struct {
	where, expression string
	labels            []string
	// isOfDiscovery says that nothing is to be found where there is none.
	isOfDiscovery bool
}

// queries are all of the dashboard and of the alerts, over seconds instead of
// minutes.
func queries(t *testing.T) []query {
	t.Helper()
	return append(dashboard(t), alerts(t)...)
}

func dashboard(t *testing.T) []query {
	t.Helper()
	text, err := os.ReadFile(monitoring + "/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, AllValue string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	all, isOfDiscovery := []query(nil), false
	for _, panel := range d.Panels {
		isOfDiscovery = isOfDiscovery || panel.Type == "row"
		for _, target := range panel.Targets {
			all = append(all, query{
				where:      "panel " + panel.Title + " " + target.LegendFormat,
				expression: target.Expr,
				labels:     shown(`\{\{(\w+)\}\}`, target.LegendFormat),

				isOfDiscovery: isOfDiscovery,
			})
		}
	}
	// What is there to be chosen, when nothing is; the namespace is left.
	for _, v := range d.Templating.List {
		for i := range all {
			if v.Name != "namespace" {
				all[i].expression = strings.ReplaceAll(all[i].expression, "$"+v.Name, v.AllValue)
			}
		}
	}
	return inSeconds(all)
}

func alerts(t *testing.T) []query {
	// Alerts about what takes more to come about than this test does: hundreds of
	// connections, and an API server that goes away after a while. Their number is
	// there all the same, and is zero.
	rare := []string{"ProbeshiftDiscoveryRefusesConnections", "ProbeshiftDiscoveryStale"}

	t.Helper()
	text, err := os.ReadFile(monitoring + "/prometheusrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Spec struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert, Expr string
					Annotations map[string]string
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, group := range o.Spec.Groups {
		for _, rule := range group.Rules {
			all = append(all, query{
				where:      "alert " + rule.Alert,
				expression: rule.Expr,
				labels:     shown(`\$labels\.(\w+)`, rule.Annotations["summary"]+rule.Annotations["description"]),

				isOfDiscovery: strings.HasSuffix(group.Name, "-discovery"),
			})
			if slices.Contains(rare, rule.Alert) {
				last := &all[len(all)-1]
				last.expression = strings.TrimSuffix(strings.TrimSpace(last.expression), "> 0")
			}
		}
	}
	return inSeconds(all)
}

// shown are the labels that a text names.
func shown(form, text string) []string {
	var labels []string
	for _, found := range regexp.MustCompile(form).FindAllStringSubmatch(text, -1) {
		labels = append(labels, found[1])
	}
	return labels
}

func inSeconds(all []query) []query {
	window := regexp.MustCompile(`\[(\$__rate_interval|\d+m)\]`)
	for i, q := range all {
		all[i].expression = window.ReplaceAllString(q.expression, "[15s]")
	}
	return all
}

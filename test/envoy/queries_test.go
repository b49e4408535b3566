package envoy

import (
	"encoding/json"
	"os"
	"regexp"
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
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			all = append(all, query{
				where:      "panel " + panel.Title + " " + target.LegendFormat,
				expression: target.Expr,
				labels:     shown(`\{\{(\w+)\}\}`, target.LegendFormat),
			})
		}
	}
	return inSeconds(all)
}

func alerts(t *testing.T) []query {
	t.Helper()
	text, err := os.ReadFile(monitoring + "/prometheusrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Spec struct {
			Groups []struct {
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
			})
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
	window := regexp.MustCompile(`\[[^\]]+\]`)
	variable := regexp.MustCompile(`\$(namespace|upstream)\b`)
	for i, q := range all {
		all[i].expression = variable.ReplaceAllString(window.ReplaceAllString(q.expression, "[15s]"), ".*")
	}
	return all
}

package deploy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// query is one PromQL expression, and where it stands.
type query struct {
	where, expression string
}

// selector is a metric in a query, with the matchers in its braces.
type selector struct {
	metric   string
	matchers [][3]string // label, operator, value
}

// queries are all of the alert rules and of the dashboard.
func queries(t *testing.T, objects []*unstructured.Unstructured) []query {
	t.Helper()
	var all []query
	for _, rule := range rules(t, objects) {
		all = append(all, query{"alert " + rule["alert"].(string), rule["expr"].(string)})
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	config := one[corev1.ConfigMap](t, objects, "ConfigMap", "probeshift-dashboard")
	if err := json.Unmarshal([]byte(config.Data["probeshift.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			// What Grafana puts there is a duration.
			expression := regexp.MustCompile(`\$__\w+`).ReplaceAllString(target.Expr, "5m")
			all = append(all, query{"panel " + panel.Title, expression})
		}
	}
	return all
}

// rules are those of the rendered PrometheusRule.
func rules(t *testing.T, objects []*unstructured.Unstructured) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, o := range only(objects, "PrometheusRule") {
		groups, _, err := unstructured.NestedSlice(o.Object, "spec", "groups")
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			for _, rule := range group.(map[string]any)["rules"].([]any) {
				all = append(all, rule.(map[string]any))
			}
		}
	}
	return all
}

// selectors finds the metrics of a query: every name that is no function, no
// word of the language and no label. What it takes for a metric by mistake is
// then exported by nobody and fails the test.
func (q query) selectors() []selector {
	text := regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`).ReplaceAllString(q.expression, " ")
	text = regexp.MustCompile(`\[[0-9a-z]+\]|\boffset\s+\w+`).ReplaceAllString(text, " ")
	found := regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{(?:[^}"]|"[^"]*")*\}|\()?`).FindAllStringSubmatch(text, -1)
	matcher := regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	var all []selector
	for _, f := range found {
		if f[2] == "(" || slices.Contains([]string{"and", "or", "unless", "sum", "min", "max", "bool"}, f[1]) {
			continue
		}
		s := selector{metric: f[1]}
		for _, m := range matcher.FindAllStringSubmatch(f[2], -1) {
			s.matchers = append(s.matchers, [3]string(m[1:]))
		}
		all = append(all, s)
	}
	return all
}

// groupings are the labels that a query groups or joins by.
func (q query) groupings() []string {
	var labels []string
	for _, list := range regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`).FindAllStringSubmatch(q.expression, -1) {
		for label := range strings.SplitSeq(list[1], ",") {
			labels = append(labels, strings.TrimSpace(label))
		}
	}
	return labels
}

// selects says whether a selector finds a series.
func (s selector) selects(found series) bool {
	if s.metric != found.name {
		return false
	}
	for _, m := range s.matchers {
		value, want := found.labels[m[0]], m[2]
		equal := value == want
		if strings.HasSuffix(m[1], "~") {
			equal = regexp.MustCompile("^(?:" + want + ")$").MatchString(value)
		}
		if equal == strings.HasPrefix(m[1], "!") {
			return false
		}
	}
	return true
}

// String is the selector as it is written.
func (s selector) String() string {
	return fmt.Sprintf("%s%v", s.metric, s.matchers)
}

func TestSelectorsAreFoundInAQuery(t *testing.T) {
	q := query{expression: `sum by (name, le) (rate(a_total{x=~"b|[.]{c}", y="d"}[5m]) unless e offset 10m and on (job) up == 1) or histogram_quantile(0.9, f_bucket) * 24`}
	got := fmt.Sprint(q.selectors(), q.groupings())
	if want := "[a_total[[x =~ b|[.]{c}] [y = d]] e[] up[] f_bucket[]] [name le job]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

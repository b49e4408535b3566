package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Whether a real Envoy exports what the queries ask for is tested in test/envoy.
func lbMonitoring(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return overlay{components: []string{"lb-monitoring"}}.render(t)
}

func TestTheAlertsOfSidecarsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	dir := t.TempDir()
	tests, err := os.ReadFile("testdata/lb-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	all := rules(t, lbMonitoring(t))
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

// Grafana takes a dashboard by its uid, and panels by their id.
func TestTheDashboardOfSidecarsIsOneOfItsOwn(t *testing.T) {
	objects := overlay{components: []string{"monitoring", "lb-monitoring"}}.render(t)
	var uids []string
	for name, file := range map[string]string{"probeshift-dashboard": "probeshift.json", "probeshift-lb-dashboard": "probeshift-lb.json"} {
		var dashboard struct {
			UID    string
			Panels []struct {
				ID    int
				Title string
			}
		}
		config := one[corev1.ConfigMap](t, objects, "ConfigMap", name)
		if err := json.Unmarshal([]byte(config.Data[file]), &dashboard); err != nil {
			t.Fatal(err)
		}
		seen := map[int]string{}
		for _, panel := range dashboard.Panels {
			if other, ok := seen[panel.ID]; ok {
				t.Errorf("%s: the panels %q and %q have the same id", name, other, panel.Title)
			}
			seen[panel.ID] = panel.Title
		}
		uids = append(uids, dashboard.UID)
	}
	if uids[0] == uids[1] {
		t.Errorf("both dashboards have the uid %s", uids[0])
	}
}

// What the PodMonitor drops is not asked for.
func TestNothingIsDroppedThatAQueryNeeds(t *testing.T) {
	objects := lbMonitoring(t)
	asked := one[corev1.ConfigMap](t, objects, "ConfigMap", "probeshift-lb-dashboard").Data["probeshift-lb.json"]
	for _, rule := range rules(t, objects) {
		asked += rule["expr"].(string)
	}
	var dropped []*regexp.Regexp
	for _, o := range only(objects, "PodMonitor") {
		endpoints, _, err := unstructured.NestedSlice(o.Object, "spec", "podMetricsEndpoints")
		if err != nil {
			t.Fatal(err)
		}
		relabelings, _, err := unstructured.NestedSlice(endpoints[0].(map[string]any), "metricRelabelings")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range relabelings {
			dropped = append(dropped, regexp.MustCompile("^(?:"+r.(map[string]any)["regex"].(string)+")$"))
		}
	}
	if len(dropped) != 1 || !dropped[0].MatchString("envoy_cluster_endpoint_cx_total") {
		t.Fatalf("dropped is %v, want one pattern for what Envoy counts of each Pod", dropped)
	}
	for _, metric := range regexp.MustCompile(`envoy_\w+`).FindAllString(asked, -1) {
		if dropped[0].MatchString(metric) {
			t.Errorf("a query asks for %s, which the PodMonitor drops", metric)
		}
	}
}

package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/probeshift/probeshift/pkg/manifest"
)

// TestHostileFilesAreLeftInTime: none of these may take long or be edited; a test
// that hangs is what a regression looks like.
func TestHostileFilesAreLeftInTime(t *testing.T) {
	laughs := "a0: &a0 [grpc_health_probe]\n"
	merges := "m0: &m0 {x: grpc_health_probe}\n"
	for i := range 30 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
		merges += fmt.Sprintf("m%d: &m%d {<<: [%s]}\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i), 10), ", "))
	}
	for name, text := range map[string]string{
		"aliases of aliases":     "kind: Pod\n" + laughs + "spec: {containers: *a30}\n",
		"merges of merges":       "kind: Pod\n" + merges + "spec: {containers: [{livenessProbe: {<<: *m30}, <<: *m30}]}\n",
		"a template of itself":   "kind: Pod\nspec: &s\n  containers: [*s, {name: grpc_health_probe, livenessProbe: *s}]\n",
		"a merge of itself":      "kind: Pod\nspec: &s\n  <<: *s\n  containers: [grpc_health_probe]\n",
		"deep lists":             "kind: Pod\nspec: {containers: " + strings.Repeat("[", 3000) + "grpc_health_probe" + strings.Repeat("]", 3000) + "}\n",
		"deep Lists":             strings.Repeat("{kind: List, items: [", 50) + "grpc_health_probe" + strings.Repeat("]}", 50),
		"a line of a megabyte":   "kind: Pod\nspec: {containers: [{command: [" + strings.Repeat("grpc_health_probe, ", 60000) + "]}]}\n",
		"a megabyte of comments": "kind: Pod\n" + strings.Repeat("# grpc_health_probe\n", 60000),
		"many JSON values":       strings.Repeat(`{"kind":"Pod","spec":"grpc_health_probe\/"} `, 20000),
		"quotes without an end":  "kind: Pod\nspec: \"grpc_health_probe " + strings.Repeat("\\", 100001),
	} {
		t.Run(name, func(t *testing.T) {
			result, err := manifest.Edit([]byte(text), manifest.Options{})
			if err != nil || result.Changed || string(result.Content) != text {
				t.Errorf("it was edited, or the fault is ours: %v", err)
			}
		})
	}
}

// TestALongLineWithManyProbes is what programs write as JSON: each position has to
// be found without reading the line again.
func TestALongLineWithManyProbes(t *testing.T) {
	const items = 1000
	var list strings.Builder
	for i := range items {
		if i > 0 {
			list.WriteString(",")
		}
		fmt.Fprintf(&list, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p%d"},"spec":{"containers":[{"name":"ü","ports":[{"containerPort":80}],`+
			`"livenessProbe":{"exec":{"command":["grpc_health_probe","-addr=:80"]}}}]}}`, i)
	}
	result, err := manifest.Edit([]byte(`{"kind":"List","apiVersion":"v1","items":[`+list.String()+`]}`), manifest.Options{})
	if err != nil || strings.Count(string(result.Content), `"grpc":{"port":80,"service":""}`) != items {
		t.Errorf("not every probe was rewritten: %v", err)
	}
}

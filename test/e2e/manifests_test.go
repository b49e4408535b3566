package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// workload is what all controllers' manifests have in common.
type workload struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template    corev1.PodTemplateSpec
		JobTemplate batchv1.JobTemplateSpec
	}
}

// What the scenarios expect of a cluster is what the rules say of the manifests.
func TestTheManifestsAreWhatTheScenariosExpect(t *testing.T) {
	want := map[string]string{
		"greeter.yaml greeter": "rewritten", "greeter.yaml restarted": "rewritten", "greeter.yaml started": "rewritten",
		"controllers.yaml store": "rewritten", "controllers.yaml agent": "skipped host-network", "controllers.yaml exporter": "rewritten",
		"controllers.yaml import": "rewritten", "controllers.yaml nightly": "rewritten",
		"cost.yaml probed":  "rewritten",
		"tls.yaml respects": "skipped tls", "tls.yaml secure": "skipped tls", "tls.yaml plain": "skipped tls",
	}
	got := map[string]string{}
	for _, file := range []string{"greeter.yaml", "controllers.yaml", "cost.yaml", "tls.yaml"} {
		content, err := (&life{agnhost: "example.com/agnhost:1"}).manifest(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(content), len(content))
		for {
			var w workload
			if err := decoder.Decode(&w); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, finding := range findings(w) {
				outcome := string(finding.Outcome)
				if finding.Reason != "" {
					outcome += " " + string(finding.Reason)
				}
				got[file+" "+w.Metadata.Name] = outcome
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-expected +decided):\n%s", diff)
	}
}

func findings(w workload) []mutate.Finding {
	template := w.Spec.Template
	if w.Kind == "CronJob" {
		template = w.Spec.JobTemplate.Spec.Template
	}
	return mutate.Mutate(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}, mutate.Policy{}).Findings
}

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// The demo asks the webhook behind an API server; this asks the engine.
func TestTheExamplesBecomeWhatIsExpected(t *testing.T) {
	examples, err := readExamples(os.DirFS("../../examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		t.Run(e.File, func(t *testing.T) {
			got := map[string]string{}
			for _, c := range compare(e.pod, mutated(t, e.pod)) {
				got[c.container+" "+c.kind] = c.String()
			}
			if diff := cmp.Diff(e.Probes, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// mutated applies the patch that the engine makes.
func mutated(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	sent, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	operations, err := json.Marshal(mutate.Mutate(pod, mutate.Policy{}).Operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(sent)
	if err != nil {
		t.Fatal(err)
	}
	var stored corev1.Pod
	if err := json.Unmarshal(after, &stored); err != nil {
		t.Fatal(err)
	}
	return &stored
}

func TestBadExamplesAreNamed(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
	for name, tc := range map[string]struct {
		files map[string]string
		says  string
	}{
		"no expectations at all":         {map[string]string{"a.yaml": pod}, "expected.yaml"},
		"a manifest that nobody expects": {map[string]string{"expected.yaml": "[]", "a.yaml": pod}, "what is expected of a.yaml"},
		"a manifest that is not there":   {map[string]string{"expected.yaml": "[{file: a.yaml}]"}, "a.yaml"},
		"an expectation of nothing known": {
			map[string]string{"expected.yaml": "[{file: a.yaml, warning: none}]", "a.yaml": pod}, `unknown field "warning"`,
		},
		"a field that Pods do not have": {
			map[string]string{"expected.yaml": "[{file: a.yaml}]", "a.yaml": pod + "spec: {container: []}"}, `unknown field "spec.container"`,
		},
		"a kind that makes no Pods": {
			map[string]string{"expected.yaml": "[{file: a.yaml}]", "a.yaml": "apiVersion: v1\nkind: Service"}, "Service is not a kind",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fstest.MapFS{}
			for file, text := range tc.files {
				dir[file] = &fstest.MapFile{Data: []byte(text)}
			}
			_, err := readExamples(dir)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the error does not say %q: %v", tc.says, err)
			}
		})
	}
}

func TestWhatIsNotAsExpectedIsTold(t *testing.T) {
	rewritten, left := nativeChange(), skippedChange()
	for name, tc := range map[string]struct {
		expected example
		warnings []string
		want     []string
	}{
		"everything is": {
			expected: example{
				Probes:   map[string]string{"server liveness": "grpc, port 9000", "plugin readiness": "exec, unix-socket"},
				Warnings: []string{"probeshift: plugin"},
			},
			warnings: []string{"probeshift: plugin readiness probe left as exec"},
		},
		"another port, a probe that nobody expects, one that is missing, a warning": {
			expected: example{
				File:   "a.yaml",
				Probes: map[string]string{"server liveness": "grpc, port 9001", "server startup": "exec, tls"},
			},
			warnings: []string{"probeshift: look"},
			want: []string{
				`a.yaml: server liveness is "grpc, port 9000", expected was "grpc, port 9001"`,
				`a.yaml: plugin readiness is "exec, unix-socket", expected was ""`,
				`a.yaml: there is no exec probe server startup, expected was "exec, tls"`,
				`a.yaml: the warnings are "probeshift: look", expected were none`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.expected.unexpected([]change{rewritten, left}, tc.warnings)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

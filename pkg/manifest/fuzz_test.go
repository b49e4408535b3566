package manifest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// FuzzEdit holds, for any bytes: no panic; what is not changed comes back byte for
// byte; a change is told, passes its own check, and a second run changes nothing.
func FuzzEdit(f *testing.F) {
	seeds, err := filepath.Glob("../../test/manifests/cases/*/before/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		if content, err := os.ReadFile(name); err == nil && len(content) < 2000 { // shorter ones are mutated faster
			f.Add(content)
		}
	}
	for _, text := range []string{
		"grpc_health_probe", "---\n---\ngrpc_health_probe\n", "%YAML 1.1\n---\n{kind: Pod, spec: grpc_health_probe}",
		"&a [*a, grpc_health_probe]", "a: &a {<<: *a, b: grpc_health_probe}", "- {op: add, path: /x/livenessProbe, value: grpc_health_probe}",
		"kind: Pod\nspec: &s\n  containers: [*s, grpc_health_probe]\n", "{{ if }}\nexec:\n  command: [grpc_health_probe, -addr={{ x }}]\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sent := bytes.Clone(content)
		result, err := manifest.Edit(content, manifest.Options{})
		if !bytes.Equal(sent, content) {
			t.Fatal("the bytes that were given have changed")
		}
		if err != nil {
			t.Fatalf("an edit went wrong: %v", err)
		}
		if result.Changed == bytes.Equal(sent, result.Content) {
			t.Fatalf("changed is %t, but the content says otherwise", result.Changed)
		}
		if told := countOutcome(result.Findings, mutate.Rewritten) > 0; told != result.Changed {
			t.Fatalf("changed is %t, and a finding says %t", result.Changed, told)
		}
		again, err := manifest.Edit(result.Content, manifest.Options{})
		if err != nil || again.Changed {
			t.Fatalf("a second run changes more (%v)", err)
		}
		manifest.Probes(content, manifest.Options{})
	})
}

package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// base is the directory that README has people apply.
const base = "../../deploy/webhook"

// overlay is a kustomization above the base.
type overlay struct {
	// namespace is another namespace than the base's; empty for the base's.
	namespace string
	// components are the names of directories in components/.
	components []string
}

// render returns the objects of the base under an overlay, in their order.
func (o overlay) render(t testing.TB) []*unstructured.Unstructured {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := relative(t, dir, base)
	kustomization := map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{root},
	}
	var components []string
	for _, name := range o.components {
		components = append(components, filepath.Join(root, "components", name))
	}
	if len(components) > 0 {
		kustomization["components"] = components
	}
	if o.namespace != "" {
		kustomization["namespace"] = o.namespace
		kustomization["transformers"] = []string{filepath.Join(root, "own-namespace")}
	}
	content, err := sigsyaml.Marshal(kustomization)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return decode(t, kustomize(t, dir))
}

// relative is the path from dir to another directory. Kustomize takes no
// absolute one.
func relative(t testing.TB, dir, to string) string {
	t.Helper()
	absolute, err := filepath.Abs(to)
	if err != nil {
		t.Fatal(err)
	}
	if absolute, err = filepath.EvalSymlinks(absolute); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Rel(dir, absolute)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// kustomize renders a directory by the program that KUSTOMIZE names, or by
// kubectl.
func kustomize(t testing.TB, dir string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "kubectl", "kustomize", dir)
	if program := os.Getenv("KUSTOMIZE"); program != "" {
		command = exec.CommandContext(t.Context(), program, "build", dir)
	}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\nKUSTOMIZE may name the program kustomize where there is no kubectl", command, err, stderr.Bytes())
	}
	return out
}

// decode reads a stream of YAML documents.
func decode(t testing.TB, stream []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

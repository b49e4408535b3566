package installed

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Read returns the objects of a file.
func Read(t *testing.T, path ...string) []*unstructured.Unstructured {
	t.Helper()
	file := filepath.Join(path...)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), len(content)); ; {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if object.Object != nil { // not a comment between two objects
			all = append(all, &object)
		}
	}
}

// Create creates objects as they are. Fields that the API server does not know
// fail the test.
func Create(t *testing.T, config *rest.Config, objects []*unstructured.Unstructured) {
	t.Helper()
	plain, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(plain, metav1.FieldValidationStrict)
	for _, object := range objects {
		if err := strict.Create(t.Context(), object.DeepCopy()); err != nil {
			t.Fatalf("create %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

package lbcases_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// TestTheExamplesAreInjected reads examples/lb as a user would apply them. The
// values are where each upstream is reached.
func TestTheExamplesAreInjected(t *testing.T) {
	want := map[string]map[string][]string{
		"client-and-greeter.yaml": {"greeter": nil, "client": {"greeter.shop:9000 at 127.64.0.1:9000"}},
		"emojivoto.yaml":          {"web": {"emoji-svc-headless.emojivoto:8080 at 127.64.0.1:25000", "voting-svc-headless.emojivoto:8080 at 127.64.0.2:25001"}},
		"online-boutique.yaml": {
			"frontend": {
				"productcatalogservice-pods.boutique:3550 at 127.64.0.1:3550", "currencyservice-pods.boutique:7000 at 127.64.0.2:7000",
				"cartservice-pods.boutique:7070 at 127.64.0.3:7070", "recommendationservice-pods.boutique:8080 at 127.64.0.4:25000",
				"shippingservice-pods.boutique:50051 at 127.64.0.5:50051", "checkoutservice-pods.boutique:5050 at 127.64.0.6:5050",
				"adservice-pods.boutique:9555 at 127.64.0.7:9555",
			},
			"checkoutservice": {
				"productcatalogservice-pods.boutique:3550 at 127.64.0.1:3550", "shippingservice-pods.boutique:50051 at 127.64.0.2:50051",
				"paymentservice-pods.boutique:50051 at 127.64.0.3:50051", "emailservice-pods.boutique:8080 at 127.64.0.4:5000",
				"currencyservice-pods.boutique:7000 at 127.64.0.5:7000", "cartservice-pods.boutique:7070 at 127.64.0.6:7070",
			},
		},
	}
	got := map[string]map[string][]string{}
	files, err := filepath.Glob("../../examples/lb/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		reached := map[string][]string{}
		for _, d := range deployments(t, file) {
			pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
			r := sidecar.Inject(pod, d.Namespace, sidecar.DefaultPolicy())
			if r.Outcome == sidecar.Refused || len(r.Warnings) > 0 {
				t.Errorf("%s: %s: %s %v", file, d.Name, r.Message(), r.Warnings)
			}
			reached[d.Name] = nil
			for _, u := range r.Status.Upstreams {
				reached[d.Name] = append(reached[d.Name], u.Name+" at "+u.Listen.String())
			}
		}
		got[filepath.Base(file)] = reached
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// deployments are those in a file; fields that nobody knows are errors.
func deployments(t *testing.T, file string) []appsv1.Deployment {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []appsv1.Deployment
	for decoder := utilyaml.NewYAMLToJSONDecoder(bytes.NewReader(content)); ; {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		var kind metav1.TypeMeta
		if err := json.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		object := map[string]any{"Service": &corev1.Service{}, "Deployment": &appsv1.Deployment{}}[kind.Kind]
		strict := json.NewDecoder(bytes.NewReader(document))
		strict.DisallowUnknownFields()
		if err := strict.Decode(object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d, is := object.(*appsv1.Deployment); is {
			found = append(found, *d)
		}
	}
}

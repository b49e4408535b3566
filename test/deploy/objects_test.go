package deploy

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// statusAnnotation is what the webhook marks a Pod with that it has seen.
const statusAnnotation = "probeshift.dev/status"

// switchLabel is the label of namespaces and Pods.
const switchLabel = "probeshift.dev/webhook"

// only returns the objects of some kinds, in their order.
func only(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var chosen []*unstructured.Unstructured
	for _, o := range objects {
		for _, kind := range kinds {
			if o.GetKind() == kind {
				chosen = append(chosen, o)
			}
		}
	}
	return chosen
}

// one returns the one object of a kind and name as T.
func one[T any](t testing.TB, objects []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, o := range only(objects, kind) {
		if o.GetName() != name {
			continue
		}
		typed := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
			t.Fatal(err)
		}
		return typed
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

// createAll creates objects in their order. What is cluster-scoped is deleted
// when the test ends; namespaces stay, since nothing empties them here.
func createAll(t testing.TB, c client.Client, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		if err := c.Create(t.Context(), o.DeepCopy()); err != nil {
			t.Fatalf("create %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		if o.GetNamespace() != "" || o.GetKind() == "Namespace" {
			continue
		}
		t.Cleanup(func() {
			// The test's own context has ended.
			if err := c.Delete(context.WithoutCancel(t.Context()), o); client.IgnoreNotFound(err) != nil {
				t.Errorf("delete %s %s: %v", o.GetKind(), o.GetName(), err)
			}
		})
	}
}

// createNamespace creates a namespace with a value of the label, "" for none.
func createNamespace(t testing.TB, c client.Client, name, value string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if value != "" {
		namespace.Labels = map[string]string{switchLabel: value}
	}
	if err := c.Create(t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds. API servers follow configurations
// and policies with some delay.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

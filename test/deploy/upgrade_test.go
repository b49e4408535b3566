package deploy

import (
	"context"
	"encoding/base64"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

/*
Whoever applies the manifests on the server's side and the webhook own
different fields of the configuration. An upgrade must not take away what the
webhook owns, and what the webhook owns must not keep alive what an upgrade
takes away: that is why the entries' names are frozen.
*/

// apply applies an object on the server's side.
func apply(t *testing.T, c client.Client, o *unstructured.Unstructured, manager string) error {
	t.Helper()
	return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner(manager), client.ForceOwnership)
}

// bundles is what the webhook applies: the caBundle of each entry, and nothing
// else.
func bundles(bundle string, names ...string) *unstructured.Unstructured {
	var entries []any
	for _, name := range names {
		entries = append(entries, map[string]any{"name": name, "clientConfig": map[string]any{"caBundle": bundle}})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1",
		"kind":       "MutatingWebhookConfiguration",
		"metadata":   map[string]any{"name": "grpc-probeshift"},
		"webhooks":   entries,
	}}
}

func TestAnUpgradeKeepsTheTwoEntriesAndTheirBundle(t *testing.T) {
	c := newClient(t, cluster)
	// Any certificate that parses will do, and that of the API server is one.
	certificate := cluster.CAData
	written, err := os.ReadFile("testdata/previous.yaml")
	if err != nil {
		t.Fatal(err)
	}
	previous := decode(t, written)[0]
	next := only(overlay{}.render(t), "MutatingWebhookConfiguration")[0]
	t.Cleanup(func() { removeConfiguration(t, c) })

	for _, step := range []struct {
		what    string
		object  *unstructured.Unstructured
		manager string
	}{
		{"install what was before", previous, "kubectl"},
		{"the webhook writes the bundle", bundles(base64.StdEncoding.EncodeToString(certificate), "rewrite.probeshift.dev", "audit.probeshift.dev"), "probeshift"},
		{"upgrade", next, "kubectl"},
		{"upgrade once more", next, "kubectl"},
	} {
		if err := apply(t, c, step.object, step.manager); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
	}

	live := &admissionv1.MutatingWebhookConfiguration{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: "grpc-probeshift"}, live); err != nil {
		t.Fatal(err)
	}
	want := one[admissionv1.MutatingWebhookConfiguration](t, []*unstructured.Unstructured{next}, "MutatingWebhookConfiguration", "grpc-probeshift").Webhooks
	for i := range want {
		want[i].ClientConfig.CABundle = certificate
	}
	if diff := cmp.Diff(want, live.Webhooks); diff != "" {
		t.Errorf("after the upgrade (-want +got):\n%s", diff)
	}
}

// Shows the hazard that the test above is about: were an entry renamed, the
// upgrade would be refused, because what is left of the old one is no webhook.
func TestARenamedEntryWouldBreakTheUpgrade(t *testing.T) {
	c := newClient(t, cluster)
	next := only(overlay{}.render(t), "MutatingWebhookConfiguration")[0]
	t.Cleanup(func() { removeConfiguration(t, c) })
	if err := apply(t, c, next, "kubectl"); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, c, bundles(base64.StdEncoding.EncodeToString(cluster.CAData), "rewrite.probeshift.dev", "audit.probeshift.dev"), "probeshift"); err != nil {
		t.Fatal(err)
	}
	renamed := next.DeepCopy()
	entries, _, err := unstructured.NestedSlice(renamed.Object, "webhooks")
	if err != nil {
		t.Fatal(err)
	}
	entries[0].(map[string]any)["name"] = "rewrites.probeshift.dev"
	if err := unstructured.SetNestedSlice(renamed.Object, entries, "webhooks"); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, c, renamed, "kubectl"); err == nil {
		t.Error("the upgrade went through: if API servers mend this, the names need not be frozen any more")
	}
}

// removeConfiguration deletes the configuration when a test has ended.
func removeConfiguration(t *testing.T, c client.Client) {
	t.Helper()
	configuration := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "grpc-probeshift"}}
	if err := c.Delete(context.WithoutCancel(t.Context()), configuration); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
}

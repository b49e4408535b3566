package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// withDiscovery is the base with discovery, and whatever else.
func withDiscovery(namespace string, components ...string) overlay {
	return overlay{namespace: namespace, components: append([]string{"lb-discovery"}, components...)}
}

// Three parties have to mean the same by their names: the manifests, discovery,
// and the webhook, which tells sidecars where to turn to.
func TestDiscoveryIsFoundUnderTheNamesOfTheManifests(t *testing.T) {
	for _, o := range []overlay{withDiscovery(""), withDiscovery("pod-webhooks"), withDiscovery("x", "cert-manager", "hostnetwork")} {
		objects := o.render(t)
		webhook := optionsOf(t, one[appsv1.Deployment](t, objects, "Deployment", "probeshift-webhook"))
		discovery := optionsOf(t, one[appsv1.Deployment](t, objects, "Deployment", "probeshift-discovery"))

		if discovery.Run != "discovery" || webhook.Run != "admission" || !webhook.LBDiscovery {
			t.Errorf("discovery runs %s, the webhook %s, and has new sidecars use discovery: %t", discovery.Run, webhook.Run, webhook.LBDiscovery)
		}
		service := one[corev1.Service](t, objects, "Service", webhook.Discovery.Service)
		if port := service.Spec.Ports[0]; int(port.Port) != webhook.DiscoveryPort || port.TargetPort.StrVal != "xds" {
			t.Errorf("sidecars dial the port %d, the Service has %d, which leads to %s", webhook.DiscoveryPort, port.Port, port.TargetPort.StrVal)
		}
		if diff := cmp.Diff(discovery.Discovery, webhook.Discovery); diff != "" {
			t.Errorf("names that discovery (-) and the webhook (+) go by:\n%s", diff)
		}
		if webhook.Self.Namespace != o.namespaceOf() || discovery.Self.Namespace != o.namespaceOf() {
			t.Errorf("the webhook is in %s and discovery in %s, want both in %s", webhook.Self.Namespace, discovery.Self.Namespace, o.namespaceOf())
		}
		own := one[rbacv1.Role](t, objects, "Role", "probeshift-discovery-ca").Rules
		reads := one[rbacv1.Role](t, objects, "Role", "probeshift-webhook-discovery").Rules
		for what, pair := range map[string][2]string{
			"the Secret of the CA":            {own[0].ResourceNames[0], discovery.Discovery.Secret},
			"the ConfigMap discovery writes":  {own[2].ResourceNames[0], discovery.Discovery.ConfigMap},
			"the ConfigMap the webhook reads": {reads[0].ResourceNames[0], webhook.Discovery.ConfigMap},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: the role names %s, the program %s", what, pair[0], pair[1])
			}
		}
	}
}

// Pods with a sidecar may come to discovery from every namespace, nobody else
// may, and the webhook's own policy says nothing about it.
func TestPodsWithASidecarReachDiscovery(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{sidecar.UpstreamsAnnotation: "greeter:9000"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1.0.0"}}},
	}
	var label map[string]string
	for _, op := range sidecar.Inject(pod, "shop", sidecar.DefaultPolicy()).Operations {
		if op.Path == "/metadata/labels" {
			label = op.Value.(map[string]string)
		}
	}
	port := func(name string) []networkingv1.NetworkPolicyPort {
		return []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromString(name))}}
	}
	want := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{
			"app.kubernetes.io/name": "probeshift", "app.kubernetes.io/component": "discovery",
		}},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{
				From: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &metav1.LabelSelector{MatchLabels: label},
				}},
				Ports: port("xds"),
			},
			{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}, Ports: port("metrics")},
		},
	}
	for sentence, o := range map[string]overlay{"alone": withDiscovery(""), "beside the webhook's": withDiscovery("", "networkpolicy")} {
		got := one[networkingv1.NetworkPolicy](t, o.render(t), "NetworkPolicy", "probeshift-discovery").Spec
		if diff := cmp.Diff(want, got); diff != "" || len(label) == 0 {
			t.Errorf("%s, the label being %v (-want +got):\n%s", sentence, label, diff)
		}
	}
}

// Wherever an overlay says where the image is: above the component, and below it
// in an overlay that knew nothing of the component.
func TestDiscoveryRunsTheWebhooksImage(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	elsewhere := []any{map[string]any{"name": "localhost/probeshift/webhook", "newName": "registry.example/webhook", "digest": digest}}
	for sentence, tc := range map[string]struct {
		below, above []any
		want         string
	}{
		"nowhere":           {nil, nil, "localhost/probeshift/webhook:dev"},
		"above":             {nil, elsewhere, "registry.example/webhook@" + digest},
		"below":             {elsewhere, nil, "registry.example/webhook@" + digest},
		"above by new name": {elsewhere, []any{map[string]any{"name": "registry.example/webhook", "newTag": "v2"}}, "registry.example/webhook:v2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			lower := filepath.Join(dir, "lower")
			writeKustomization(t, lower, map[string]any{"resources": []string{filepath.Join("..", relative(t, dir, base))}, "images": tc.below})
			writeKustomization(t, dir, map[string]any{
				"resources":  []string{"lower"},
				"components": []string{filepath.Join(relative(t, dir, base), "components", "lb-discovery")},
				"images":     tc.above,
			})
			for _, d := range deployments(t, decode(t, kustomize(t, dir))) {
				if got := d.Spec.Template.Spec.Containers[0].Image; got != tc.want {
					t.Errorf("%s runs %s, want %s", d.Name, got, tc.want)
				}
			}
		})
	}
}

// writeKustomization makes a directory with a kustomization.
func writeKustomization(t *testing.T, dir string, fields map[string]any) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fields["apiVersion"], fields["kind"] = "kustomize.config.k8s.io/v1beta1", "Kustomization"
	content, err := sigsyaml.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Switched on and off again, by apply and by deletion of what is no longer
// there, as GitOps controllers do: what stays is what was before.
func TestDiscoveryThatIsSwitchedOffLeavesNothingBehind(t *testing.T) {
	c := newClient(t, cluster)
	without, with := overlay{namespace: "switched"}.render(t), withDiscovery("switched").render(t)
	createAll(t, c, without)
	state := func() map[string]string {
		all := map[string]string{}
		for _, o := range with {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(o.GroupVersionKind())
			if err := c.List(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			for _, found := range list.Items {
				name := found.GetName()
				if found.GetNamespace() == "switched" || found.GetNamespace() == "" && strings.HasPrefix(name, "probeshift-") {
					all[found.GetKind()+" "+name] = content(t, found)
				}
			}
		}
		return all
	}
	before := state()

	for _, o := range with {
		if err := apply(t, c, o, "kubectl"); err != nil {
			t.Fatalf("switch on: %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	if on := state(); len(on) <= len(before) || on["Deployment probeshift-webhook"] == before["Deployment probeshift-webhook"] {
		t.Errorf("switching on made %d objects of %d and changed the webhook: %t", len(on), len(before), on["Deployment probeshift-webhook"] != before["Deployment probeshift-webhook"])
	}
	for _, o := range without {
		if err := apply(t, c, o, "kubectl"); err != nil {
			t.Fatalf("switch off: %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	for _, o := range with {
		if _, stays := before[o.GetKind()+" "+o.GetName()]; stays || o.GetKind() == "Namespace" {
			continue
		}
		if err := c.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("before it was switched on (-) and after it was switched off (+):\n%s", diff)
	}
}

// content is an object without what the API server notes about it.
func content(t *testing.T, o unstructured.Unstructured) string {
	t.Helper()
	for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	text, err := json.MarshalIndent(o.Object, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

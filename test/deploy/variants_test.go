package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// variants are the ways of deploying, each in a namespace of its own.
func variants() map[string]overlay {
	return map[string]overlay{
		"the base as it is":              {},
		"the base in another namespace":  {namespace: "pod-webhooks"},
		"with cert-manager":              {namespace: "a", components: []string{"cert-manager"}},
		"with networkpolicy":             {namespace: "b", components: []string{"networkpolicy"}},
		"with monitoring":                {namespace: "c", components: []string{"monitoring"}},
		"with hostnetwork":               {namespace: "d", components: []string{"hostnetwork"}},
		"with grpc-probe-tls":            {namespace: "e", components: []string{"grpc-probe-tls"}},
		"with missed-pods":               {namespace: "f", components: []string{"missed-pods"}},
		"with lb-monitoring":             {namespace: "i", components: []string{"lb-monitoring"}},
		"with lb-discovery":              {namespace: "j", components: []string{"lb-discovery"}},
		"with all components":            {namespace: "g", components: []string{"cert-manager", "networkpolicy", "monitoring", "lb-monitoring", "lb-discovery", "hostnetwork", "grpc-probe-tls", "missed-pods"}},
		"with all in the opposite order": {namespace: "h", components: []string{"missed-pods", "grpc-probe-tls", "hostnetwork", "lb-discovery", "lb-monitoring", "monitoring", "networkpolicy", "cert-manager"}},
	}
}

// namespaceOf is the namespace that a variant deploys to.
func (o overlay) namespaceOf() string {
	if o.namespace != "" {
		return o.namespace
	}
	return "probeshift"
}

func TestAnAPIServerTakesEveryVariant(t *testing.T) {
	c := newClient(t, cluster)
	createOperatorsKinds(t, c)
	for sentence, o := range variants() {
		t.Run(sentence, func(t *testing.T) {
			objects := o.render(t)
			createAll(t, c, objects)
			// The controller that would make Pods does not run here.
			for _, deployment := range deployments(t, objects) {
				if err := c.Create(t.Context(), podFrom(deployment)); err != nil {
					t.Errorf("a Pod of the Deployment %s is refused: %v", deployment.Name, err)
				}
			}
		})
	}
}

// The other half of the test above: the namespace does refuse what its label
// says that it refuses.
func TestTheNamespaceIsRestricted(t *testing.T) {
	c := newClient(t, cluster)
	o := overlay{namespace: "restricted", components: []string{"lb-discovery"}}
	objects := o.render(t)
	createAll(t, c, only(objects, "Namespace"))
	for sentence, change := range map[string]func(*corev1.PodSpec){
		"privilege escalation": func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true) },
		"root":                 func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"the host's network":   func(s *corev1.PodSpec) { s.HostNetwork = true },
		"capabilities":         func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil },
	} {
		for _, deployment := range deployments(t, objects) {
			pod := podFrom(deployment)
			change(&pod.Spec)
			err := c.Create(t.Context(), pod, client.DryRunAll)
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `PodSecurity "restricted`) {
				t.Errorf("a Pod of %s with %s: %v, want it refused by PodSecurity", deployment.Name, sentence, err)
			}
		}
	}
}

// createOperatorsKinds teaches the API server the kinds that some components
// use, by name only: their own operators check what is in them.
func createOperatorsKinds(t *testing.T, c client.Client) {
	t.Helper()
	for _, kind := range []struct{ group, version, kind, plural string }{
		{"monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"},
		{"monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"},
		{"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
		{"cert-manager.io", "v1", "Issuer", "issuers"},
		{"cert-manager.io", "v1", "Certificate", "certificates"},
	} {
		crd := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1",
			"kind":       "CustomResourceDefinition",
			"metadata":   map[string]any{"name": kind.plural + "." + kind.group},
			"spec": map[string]any{
				"group": kind.group,
				"scope": "Namespaced",
				"names": map[string]any{"kind": kind.kind, "plural": kind.plural, "singular": strings.ToLower(kind.kind)},
				"versions": []any{map[string]any{
					"name": kind.version, "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": map[string]any{
						"type": "object", "x-kubernetes-preserve-unknown-fields": true,
					}},
				}},
			},
		}}
		createAll(t, c, []*unstructured.Unstructured{crd})
		list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": kind.group + "/" + kind.version, "kind": kind.kind + "List"}}
		eventually(t, kind.kind+" is served", func() bool { return c.List(t.Context(), list) == nil })
	}
}

// What kustomize renders is an object, and what one part of it says of another
// has to be right in every variant.
func TestEveryVariantHoldsTogether(t *testing.T) {
	for sentence, o := range variants() {
		t.Run(sentence, func(t *testing.T) {
			objects := o.render(t)
			for _, deployment := range deployments(t, objects) {
				if diff := cmp.Diff(listenedTo(t, deployment), portsOf(deployment)); diff != "" {
					t.Errorf("%s: ports that the flags open (-) and ports of the container (+):\n%s", deployment.Name, diff)
				}
				checkSelectors(t, deployment)
			}
			for _, s := range only(objects, "Service") {
				service := one[corev1.Service](t, objects, "Service", s.GetName())
				behind := selected(t, objects, "Service "+service.Name, service.Spec.Selector)
				if target := service.Spec.Ports[0].TargetPort.StrVal; portsOf(behind)[target] == 0 {
					t.Errorf("Service %s targets the port %q, which no container of %s has", service.Name, target, behind.Name)
				}
			}
			for _, p := range only(objects, "PodDisruptionBudget") {
				budget := one[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget", p.GetName())
				selected(t, objects, "PodDisruptionBudget "+budget.Name, budget.Spec.Selector.MatchLabels)
			}
			for _, p := range only(objects, "NetworkPolicy") {
				policy := one[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", p.GetName())
				behind := selected(t, objects, "NetworkPolicy "+policy.Name, policy.Spec.PodSelector.MatchLabels)
				for _, rule := range policy.Spec.Ingress {
					for _, open := range rule.Ports {
						if portsOf(behind)[open.Port.StrVal] == 0 {
							t.Errorf("NetworkPolicy %s opens the port %q, which no container of %s has", policy.Name, open.Port.StrVal, behind.Name)
						}
					}
				}
			}
			checkNamespace(t, objects, o.namespaceOf())
		})
	}
}

// checkNamespace looks whether every mention of the webhook's namespace is of
// the right one.
func checkNamespace(t *testing.T, objects []*unstructured.Unstructured, name string) {
	t.Helper()
	clusterScoped := []string{
		"Namespace", "ClusterRole", "ClusterRoleBinding",
		"MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	}
	for _, o := range objects {
		want := name
		if slices.Contains(clusterScoped, o.GetKind()) {
			want = ""
		}
		if o.GetNamespace() != want {
			t.Errorf("%s %s is in namespace %q, want %q", o.GetKind(), o.GetName(), o.GetNamespace(), want)
		}
		subjects, _, err := unstructured.NestedSlice(o.Object, "subjects")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects {
			if got := s.(map[string]any)["namespace"]; got != name {
				t.Errorf("%s %s binds an account in %v, want %s", o.GetKind(), o.GetName(), got, name)
			}
		}
	}
	if got := only(objects, "Namespace")[0].GetName(); got != name {
		t.Errorf("the namespace is called %s, want %s", got, name)
	}
	excluded := []string{"kube-system", "kube-node-lease", name}
	configuration := one[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", "grpc-probeshift")
	for _, w := range configuration.Webhooks {
		if w.ClientConfig.Service.Namespace != name {
			t.Errorf("%s calls a Service in %s, want %s", w.Name, w.ClientConfig.Service.Namespace, name)
		}
		if diff := cmp.Diff(excluded, w.NamespaceSelector.MatchExpressions[0].Values); diff != "" {
			t.Errorf("%s excludes other namespaces (-want +got):\n%s", w.Name, diff)
		}
	}
	for _, o := range only(objects, "ValidatingAdmissionPolicyBinding") {
		binding := one[admissionv1.ValidatingAdmissionPolicyBinding](t, objects, o.GetKind(), o.GetName())
		if diff := cmp.Diff(excluded, binding.Spec.MatchResources.NamespaceSelector.MatchExpressions[0].Values); diff != "" {
			t.Errorf("the policy excludes other namespaces (-want +got):\n%s", diff)
		}
	}
	if from := configuration.Annotations["cert-manager.io/inject-ca-from"]; from != "" && from != name+"/probeshift-webhook" {
		t.Errorf("the caBundle is injected from %s, want one in %s", from, name)
	}
	for _, o := range only(objects, "Certificate") {
		names, _, err := unstructured.NestedStringSlice(o.Object, "spec", "dnsNames")
		if err != nil {
			t.Fatal(err)
		}
		host := "probeshift-webhook." + name + ".svc"
		if o.GetName() == "probeshift-webhook" && !slices.Equal(names, []string{host, host + ".cluster.local"}) {
			t.Errorf("the certificate is for %q, want %s first", names, host)
		}
	}
}

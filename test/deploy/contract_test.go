package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/certs"
)

// rights lists what the roles of a rendering allow an account, one verb of one
// resource a line.
func rights(t *testing.T, objects []*unstructured.Unstructured, account string) []string {
	t.Helper()
	var all []string
	add := func(where string, rules []rbacv1.PolicyRule) {
		for _, r := range rules {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, verb := range r.Verbs {
						all = append(all, strings.TrimSpace(fmt.Sprintf("%s: %s %s/%s %s", where, verb, group, resource, strings.Join(r.ResourceNames, ","))))
					}
				}
			}
			all = append(all, r.NonResourceURLs...)
		}
	}
	for _, o := range only(objects, "RoleBinding") {
		if b := one[rbacv1.RoleBinding](t, objects, "RoleBinding", o.GetName()); binds(b.Subjects, account) {
			add("namespace", one[rbacv1.Role](t, objects, "Role", b.RoleRef.Name).Rules)
		}
	}
	for _, o := range only(objects, "ClusterRoleBinding") {
		if b := one[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding", o.GetName()); binds(b.Subjects, account) {
			add("cluster", one[rbacv1.ClusterRole](t, objects, "ClusterRole", b.RoleRef.Name).Rules)
		}
	}
	slices.Sort(all)
	return all
}

// binds says whether subjects are exactly one account; whoever else is bound
// would have rights that nobody looks at.
func binds(subjects []rbacv1.Subject, account string) bool {
	return len(subjects) == 1 && subjects[0].Kind == "ServiceAccount" && subjects[0].Name == account
}

func TestTheRightsAreTheseAndNoOthers(t *testing.T) {
	events := []string{
		"cluster: create events.k8s.io/events",
		"cluster: patch events.k8s.io/events",
	}
	self := append([]string{
		"cluster: get admissionregistration.k8s.io/mutatingwebhookconfigurations grpc-probeshift",
		"cluster: list admissionregistration.k8s.io/mutatingwebhookconfigurations grpc-probeshift",
		"cluster: patch admissionregistration.k8s.io/mutatingwebhookconfigurations grpc-probeshift",
		"cluster: watch admissionregistration.k8s.io/mutatingwebhookconfigurations grpc-probeshift",
		"namespace: create /secrets",
		"namespace: get /secrets probeshift-ca",
		"namespace: list /secrets probeshift-ca",
		"namespace: update /secrets probeshift-ca",
		"namespace: watch /secrets probeshift-ca",
	}, events...)
	// Which of its CA's certificates sidecars have to trust.
	reading := []string{
		"namespace: list /configmaps probeshift-discovery-ca",
		"namespace: watch /configmaps probeshift-discovery-ca",
	}
	discovery := []string{
		"cluster: list /services",
		"cluster: list discovery.k8s.io/endpointslices",
		"cluster: watch /services",
		"cluster: watch discovery.k8s.io/endpointslices",
		"namespace: create /configmaps probeshift-discovery-ca",
		"namespace: create /secrets",
		"namespace: create events.k8s.io/events",
		"namespace: get /configmaps probeshift-discovery-ca",
		"namespace: get /secrets probeshift-discovery-ca",
		"namespace: list /configmaps probeshift-discovery-ca",
		"namespace: list /secrets probeshift-discovery-ca",
		"namespace: patch /configmaps probeshift-discovery-ca",
		"namespace: patch events.k8s.io/events",
		"namespace: update /secrets probeshift-discovery-ca",
		"namespace: watch /configmaps probeshift-discovery-ca",
		"namespace: watch /secrets probeshift-discovery-ca",
	}
	for sentence, tc := range map[string]struct {
		overlay            overlay
		webhook, discovery []string
	}{
		"the base":                             {overlay{}, self, nil},
		"cert-manager leaves Events alone":     {overlay{components: []string{"cert-manager"}}, events, nil},
		"TLS probes take the right to ask":     {overlay{components: []string{"grpc-probe-tls"}}, append([]string{"namespace: create /pods"}, self...), nil},
		"the rest changes nothing about it":    {overlay{components: []string{"networkpolicy", "monitoring", "lb-monitoring", "hostnetwork", "missed-pods"}}, self, nil},
		"another namespace does not widen any": {overlay{namespace: "pod-webhooks"}, self, nil},
		"discovery has rights of its own":      {overlay{components: []string{"lb-discovery"}}, slices.Concat(self, reading), discovery},
		"also in another namespace":            {overlay{namespace: "pod-webhooks", components: []string{"lb-discovery"}}, slices.Concat(self, reading), discovery},
		"with cert-manager discovery still has a CA of its own": {
			overlay{components: []string{"lb-discovery", "cert-manager"}}, slices.Concat(events, reading), discovery,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			objects := tc.overlay.render(t)
			for account, want := range map[string][]string{"probeshift-webhook": tc.webhook, "probeshift-discovery": tc.discovery} {
				slices.Sort(want)
				if diff := cmp.Diff(want, rights(t, objects, account)); diff != "" {
					t.Errorf("rights of %s (-want +got):\n%s", account, diff)
				}
			}
			checkBound(t, objects)
		})
	}
}

// checkBound looks whether every role has its binding, every binding its role,
// and every account that is bound is one of the rendering.
func checkBound(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	var roles, bound []string
	for _, o := range only(objects, "Role", "ClusterRole") {
		roles = append(roles, o.GetKind()+" "+o.GetName())
	}
	for _, o := range only(objects, "RoleBinding", "ClusterRoleBinding") {
		ref, _, err := unstructured.NestedStringMap(o.Object, "roleRef")
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, ref["kind"]+" "+ref["name"])
		subjects, _, err := unstructured.NestedSlice(o.Object, "subjects")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects {
			one[corev1.ServiceAccount](t, objects, "ServiceAccount", s.(map[string]any)["name"].(string))
		}
		if len(subjects) != 1 {
			t.Errorf("%s %s binds %d subjects, want one", o.GetKind(), o.GetName(), len(subjects))
		}
	}
	slices.Sort(roles)
	slices.Sort(bound)
	if diff := cmp.Diff(roles, bound); diff != "" {
		t.Errorf("roles (-) and what is bound (+):\n%s", diff)
	}
}

// The Deployment gives no names to the program, so its defaults have to be
// those of the manifests.
func TestTheManifestsHaveTheProgramsOwnNames(t *testing.T) {
	objects := overlay{}.render(t)
	defaults := certs.DefaultOptions()
	configuration := one[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", defaults.Configuration)
	for i, path := range []string{admission.MutatePath, admission.AuditPath} {
		want := &admissionv1.ServiceReference{
			Namespace: defaults.Namespace, Name: defaults.Service, Path: &path, Port: new(int32(443)),
		}
		if diff := cmp.Diff(want, configuration.Webhooks[i].ClientConfig.Service); diff != "" {
			t.Errorf("entry %d calls something else (-want +got):\n%s", i, diff)
		}
	}
	role := one[rbacv1.Role](t, objects, "Role", "probeshift-webhook-ca")
	if diff := cmp.Diff([]string{defaults.Secret}, role.Rules[0].ResourceNames); diff != "" {
		t.Errorf("the Secret (-want +got):\n%s", diff)
	}
}

// The whole configuration, written out once more: a change of it is a change of
// what the project promises.
func TestTheConfigurationIsAsPromised(t *testing.T) {
	entry := func(name, value string, again admissionv1.ReinvocationPolicyType) admissionv1.MutatingWebhook {
		notIn := func(key string, values ...string) metav1.LabelSelectorRequirement {
			return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpNotIn, Values: values}
		}
		return admissionv1.MutatingWebhook{
			Name: name,
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: new(admissionv1.NamespacedScope),
				},
			}},
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels:      map[string]string{switchLabel: value},
				MatchExpressions: []metav1.LabelSelectorRequirement{notIn("kubernetes.io/metadata.name", "kube-system", "kube-node-lease", "probeshift")},
			},
			ObjectSelector:          &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{notIn(switchLabel, "disabled")}},
			MatchPolicy:             new(admissionv1.Equivalent),
			FailurePolicy:           new(admissionv1.Ignore),
			ReinvocationPolicy:      &again,
			SideEffects:             new(admissionv1.SideEffectClassNoneOnDryRun),
			TimeoutSeconds:          new(int32(2)),
			AdmissionReviewVersions: []string{"v1"},
		}
	}
	want := []admissionv1.MutatingWebhook{
		entry("rewrite.probeshift.dev", "enabled", admissionv1.IfNeededReinvocationPolicy),
		entry("audit.probeshift.dev", "audit", admissionv1.NeverReinvocationPolicy),
	}
	objects := overlay{}.render(t)
	for _, raw := range only(objects, "MutatingWebhookConfiguration") {
		webhooks, _, err := unstructured.NestedSlice(raw.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range webhooks {
			if _, there, err := unstructured.NestedFieldNoCopy(w.(map[string]any), "clientConfig", "caBundle"); there || err != nil {
				t.Errorf("the manifest holds a caBundle, or none can be looked for: %v", err)
			}
		}
	}
	got := one[admissionv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", "grpc-probeshift").Webhooks
	for i := range got {
		got[i].ClientConfig = admissionv1.WebhookClientConfig{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	for _, mesh := range []string{"istio-sidecar-injector", "linkerd-proxy-injector-webhook-config"} {
		if name := only(objects, "MutatingWebhookConfiguration")[0].GetName(); name >= mesh {
			t.Errorf("%s is called after %s: a mesh has to find native probes", name, mesh)
		}
	}
}

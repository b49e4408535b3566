package envtest

import (
	"net/http"
	"testing"

	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// companyLabel is the label of namespaces in which others work on Pods too. Its
// values are the names in companies.
const companyLabel = "test.probeshift.dev/company"

// mutation is what a MutatingAdmissionPolicy does, in CEL.
type mutation struct {
	kind       registrationv1.PatchType
	expression string
	// again says that it is run again when a webhook changed the Pod.
	again bool
}

// addByPolicy adds a container with a legacy probe.
func addByPolicy() *mutation {
	return &mutation{kind: registrationv1.PatchTypeJSONPatch, expression: `[JSONPatch{op: "add", path: "/spec/containers/-",
		value: Object.spec.containers{
			name: "agent", image: "example.com/agent:1.0.0",
			ports: [Object.spec.containers.ports{containerPort: 9443}],
			readinessProbe: Object.spec.containers.readinessProbe{
				exec: Object.spec.containers.readinessProbe.exec{command: ["/bin/grpc_health_probe", "-addr=:9443"]},
				timeoutSeconds: 5
			}
		}}]`}
}

// execByPolicy writes an exec handler into a probe, whatever else is there.
func execByPolicy() *mutation {
	return &mutation{kind: registrationv1.PatchTypeJSONPatch, again: true, expression: `[JSONPatch{op: "add", path: "/spec/containers/0/readinessProbe/exec",
		value: Object.spec.containers.readinessProbe.exec{command: ["/bin/grpc_health_probe", "-addr=:8080"]}}]`}
}

// annotateByPolicy sets an annotation.
func annotateByPolicy() *mutation {
	return &mutation{kind: registrationv1.PatchTypeApplyConfiguration, again: true, expression: `Object{metadata: Object.metadata{annotations: {"example.com/seen": "yes"}}}`}
}

// inPolicy is how a policy holds it.
func (m mutation) inPolicy() registrationv1.Mutation {
	if m.kind == registrationv1.PatchTypeJSONPatch {
		return registrationv1.Mutation{PatchType: m.kind, JSONPatch: &registrationv1.JSONPatch{Expression: m.expression}}
	}
	return registrationv1.Mutation{PatchType: m.kind, ApplyConfiguration: &registrationv1.ApplyConfiguration{Expression: m.expression}}
}

// installCompany serves and registers all others, and waits until they are at
// work.
func (w *world) installCompany(t *testing.T, all map[string]company) {
	t.Helper()
	mux := http.NewServeMux()
	server := serveTLS(t, mux)

	// Ours is called grpc-probeshift, and webhooks are called in the order of
	// their names.
	before := &registrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "a-before"}}
	after := &registrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "z-after"}}
	for name, c := range all {
		for configuration, change := range map[*registrationv1.MutatingWebhookConfiguration]func(*corev1.Pod){before: c.before, after: c.after} {
			if change == nil {
				continue
			}
			path := "/" + configuration.Name + "/" + name
			mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) { answerLater(rw, r, change) })
			configuration.Webhooks = append(configuration.Webhooks, companyWebhook(name, server.url+path, server.caBundle))
		}
		if c.policy != nil {
			w.installPolicy(t, name, *c.policy)
		}
	}
	seen := func(pod *corev1.Pod) { setAnnotations(pod, map[string]string{"example.com/last": "seen"}) }
	for _, configuration := range []*registrationv1.MutatingWebhookConfiguration{before, after} {
		path := "/" + configuration.Name + "/canary"
		mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) { answerLater(rw, r, seen) })
		configuration.Webhooks = append(configuration.Webhooks, companyWebhook("canary-"+configuration.Name, server.url+path, server.caBundle))
		w.install(t, configuration)
		w.waitSeen(t, "canary-"+configuration.Name, "example.com/last")
	}
	if serverMinor(t) >= minorPolicies {
		w.installPolicy(t, "canary-policy", *annotateByPolicy())
		w.waitSeen(t, "canary-policy", "example.com/seen")
	}
}

// waitSeen waits until Pods of a namespace get an annotation.
func (w *world) waitSeen(t *testing.T, company, annotation string) {
	t.Helper()
	namespace := w.labelled(t, map[string]string{companyLabel: company})
	eventually(t, company+" is at work", func() (bool, error) {
		pod, err := w.client.CoreV1().Pods(namespace).Create(t.Context(), plainPod(), dryRun())
		return err == nil && pod.Annotations[annotation] != "", err
	})
}

func companyWebhook(name, url string, caBundle []byte) registrationv1.MutatingWebhook {
	fail, none, again := registrationv1.Fail, registrationv1.SideEffectClassNone, registrationv1.IfNeededReinvocationPolicy
	seconds := int32(30)
	return registrationv1.MutatingWebhook{
		Name:                    name + ".company.example.com",
		AdmissionReviewVersions: []string{"v1"},
		ClientConfig:            registrationv1.WebhookClientConfig{URL: &url, CABundle: caBundle},
		NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{companyLabel: name}},
		Rules: []registrationv1.RuleWithOperations{{
			Operations: []registrationv1.OperationType{registrationv1.Create},
			Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}},
		FailurePolicy: &fail, SideEffects: &none, ReinvocationPolicy: &again, TimeoutSeconds: &seconds,
	}
}

// installPolicy creates a MutatingAdmissionPolicy and its binding.
func (w *world) installPolicy(t *testing.T, name string, m mutation) {
	t.Helper()
	fail, again := registrationv1.Fail, registrationv1.NeverReinvocationPolicy
	if m.again {
		again = registrationv1.IfNeededReinvocationPolicy
	}
	policies := w.client.AdmissionregistrationV1()
	_, err := policies.MutatingAdmissionPolicies().Create(t.Context(), &registrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: registrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &registrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{companyLabel: name}},
				ResourceRules: []registrationv1.NamedRuleWithOperations{{RuleWithOperations: registrationv1.RuleWithOperations{
					Operations: []registrationv1.OperationType{registrationv1.Create},
					Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				}}},
			},
			Mutations:     []registrationv1.Mutation{m.inPolicy()},
			FailurePolicy: &fail, ReinvocationPolicy: again,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.MutatingAdmissionPolicyBindings().Create(t.Context(), &registrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       registrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

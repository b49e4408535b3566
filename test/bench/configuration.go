package main

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// switchLabel is the label of a namespace that sends its Pods to the webhook,
// and that of a Pod that keeps it away.
const switchLabel = "probeshift.dev/webhook"

// createNamespace creates a namespace whose Pods are sent to a webhook.
func createNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{switchLabel: "enabled"},
	}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the namespace %s: %w", name, err)
	}
	return nil
}

// onlyIn selects the one namespace of that name, if it is enabled.
func onlyIn(namespace string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{
		switchLabel:              "enabled",
		corev1.LabelMetadataName: namespace,
	}}
}

// podCreations is the rule that all have in common.
func podCreations() admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
			Scope: new(admissionregistrationv1.NamespacedScope),
		},
	}
}

// configureWebhook sends the Pods of one namespace to url. It is the product's
// configuration but for two fields: a call that fails shall be seen, not
// counted as a quick Pod (failurePolicy), and a busy machine shall give a poor
// figure, not an error (timeoutSeconds).
func configureWebhook(ctx context.Context, client kubernetes.Interface, namespace, url string, bundle []byte) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:              webhookName(namespace),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: bundle},
			NamespaceSelector: onlyIn(namespace),
			ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: switchLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"disabled"},
			}}},
			Rules:                   []admissionregistrationv1.RuleWithOperations{podCreations()},
			MatchPolicy:             new(admissionregistrationv1.Equivalent),
			ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
			FailurePolicy:           new(admissionregistrationv1.Fail),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNoneOnDryRun),
			TimeoutSeconds:          new(int32(30)),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if _, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("configuring the webhook %s: %w", namespace, err)
	}
	return nil
}

// webhookName is the name of the one entry in a configuration.
func webhookName(namespace string) string {
	return namespace + ".bench.probeshift.dev"
}

// configurePolicy rewrites the Pods of one namespace by a
// MutatingAdmissionPolicy.
func configurePolicy(ctx context.Context, client kubernetes.Interface, namespace string) error {
	rule := podCreations()
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: onlyIn(namespace),
				ResourceRules:     []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: rule}},
			},
			FailurePolicy:      new(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.IfNeededReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: rewriteInCEL()},
			}},
		},
	}
	policies := client.AdmissionregistrationV1().MutatingAdmissionPolicies()
	if _, err := policies.Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the policy %s: %w", namespace, err)
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}
	bindings := client.AdmissionregistrationV1().MutatingAdmissionPolicyBindings()
	if _, err := bindings.Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("binding the policy %s: %w", namespace, err)
	}
	return nil
}

// rewriteInCEL is the simplest rewrite, that of the textbook webhook, as the
// list of a JSON patch's operations: for each kind of probe, those that remove
// the exec handlers and those that add the gRPC ones.
func rewriteInCEL() string {
	const ofOneKind = `
object.spec.containers.transformList(i, c, MATCHES,
  JSONPatch{op: "remove", path: "/spec/containers/" + string(i) + "/PROBE/exec"}) +
object.spec.containers.transformList(i, c, MATCHES,
  JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/PROBE/grpc",
    value: Object.spec.containers.PROBE.grpc{port: int(c.PROBE.exec.command[1].split(":")[1]), service: ""}})`
	const matches = `
  has(c.PROBE) && has(c.PROBE.exec) && has(c.PROBE.exec.command) && c.PROBE.exec.command.size() == 2 &&
  c.PROBE.exec.command[0].endsWith("/grpc_health_probe") && c.PROBE.exec.command[1].matches("^--?addr=:[0-9]{1,5}$") &&
  has(c.ports) && c.ports.exists(p, p.protocol == "TCP" && string(p.containerPort) == c.PROBE.exec.command[1].split(":")[1])`
	var kinds []string
	for _, probe := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		expression := strings.ReplaceAll(ofOneKind, "MATCHES", matches)
		kinds = append(kinds, strings.ReplaceAll(expression, "PROBE", probe))
	}
	return strings.Join(kinds, " +")
}

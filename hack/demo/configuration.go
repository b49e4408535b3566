package main

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/admission"
)

// webhookLabel is what a namespace opts in with (enabled, audit), and a Pod out
// (disabled).
const webhookLabel = "probeshift.dev/webhook"

// configurationOf is the webhook's registration as it is deployed, but for the
// URL, which stands where a cluster has a Service.
func configurationOf(url string, caBundle []byte) *admissionv1.MutatingWebhookConfiguration {
	rewrite := entry("rewrite.probeshift.dev", "enabled", url+admission.MutatePath, caBundle)
	audit := entry("audit.probeshift.dev", "audit", url+admission.AuditPath, caBundle)
	// A later webhook may add a container or a mesh proxy; an audit has nothing
	// to take back.
	rewrite.ReinvocationPolicy = new(admissionv1.IfNeededReinvocationPolicy)
	audit.ReinvocationPolicy = new(admissionv1.NeverReinvocationPolicy)
	return &admissionv1.MutatingWebhookConfiguration{
		// Webhooks run in the order of names: this one before those of meshes.
		ObjectMeta: metav1.ObjectMeta{Name: "grpc-probeshift"},
		Webhooks:   []admissionv1.MutatingWebhook{rewrite, audit},
	}
}

// entry is the part for the namespaces with one value of the label.
func entry(name, label, url string, caBundle []byte) admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name:         name,
		ClientConfig: admissionv1.WebhookClientConfig{URL: &url, CABundle: caBundle},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule: admissionv1.Rule{
				APIGroups:   []string{corev1.GroupName},
				APIVersions: []string{"v1"},
				Resources:   []string{"pods"},
				Scope:       new(admissionv1.NamespacedScope),
			},
		}},
		NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{webhookLabel: label},
			MatchExpressions: []metav1.LabelSelectorRequirement{
				notIn(corev1.LabelMetadataName, metav1.NamespaceSystem, corev1.NamespaceNodeLease),
			},
		},
		ObjectSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{notIn(webhookLabel, "disabled")},
		},
		MatchPolicy:             new(admissionv1.Equivalent),
		FailurePolicy:           new(admissionv1.Ignore),
		SideEffects:             new(admissionv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          new(int32(2)),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func notIn(label string, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: label, Operator: metav1.LabelSelectorOpNotIn, Values: values}
}

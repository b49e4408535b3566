package manifests_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// serveWebhook puts the webhook in front of Pods: a namespace and an entry of the
// configuration for each policy. It returns when every one of them is at work.
func (s server) serveWebhook(t *testing.T, policies map[string]mutate.Policy) {
	t.Helper()
	mux := http.NewServeMux()
	metrics := admission.NewMetrics(prometheus.NewRegistry())
	limit := admission.NewLimit(admission.DefaultConcurrent, admission.DefaultWait)
	for name, policy := range policies {
		mux.Handle("/"+name, admission.NewHandler(admission.Config{
			Path: "/" + name, Policy: policy, Decide: mutate.Mutate, Metrics: metrics, Limit: limit,
			ReadTimeout: admission.DefaultReadTimeout, Log: logr.Discard(), Now: time.Now,
		}))
	}
	serving := httptest.NewTLSServer(mux)
	t.Cleanup(serving.Close)
	configuration := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "probeshift"}}
	for name := range policies {
		configuration.Webhooks = append(configuration.Webhooks, webhookOf(name, serving))
		s.label(t, name)
	}
	_, err := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), configuration, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, policy := range policies {
		s.awaitWebhook(t, name, policy)
	}
}

// webhookOf is the entry for a namespace of this name.
func webhookOf(name string, serving *httptest.Server) admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name: name + ".probeshift.dev",
		ClientConfig: admissionv1.WebhookClientConfig{
			URL:      new(serving.URL + "/" + name),
			CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serving.Certificate().Raw}),
		},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}},
		NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"policy": name}},
		AdmissionReviewVersions: []string{"v1"},
		SideEffects:             new(admissionv1.SideEffectClassNone),
		FailurePolicy:           new(admissionv1.Fail),
	}
}

// label makes the namespace of a policy.
func (s server) label(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"policy": name}}}
	if _, err := s.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// awaitWebhook creates Pods, dry run, until one comes back with our status.
func (s server) awaitWebhook(t *testing.T, namespace string, policy mutate.Policy) {
	t.Helper()
	tool := "grpc_health_probe"
	if len(policy.ToolNames) > 0 {
		tool = policy.ToolNames[0]
	}
	canary := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "canary", Namespace: namespace},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "server", Image: "example.com/canary:1",
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{tool, "-addr=:1"}}}},
		}}},
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return s.admit(t, canary).Annotations[mutate.StatusAnnotation] != "", nil
	})
	if err != nil {
		t.Fatal(fmt.Errorf("the webhook of %s is not at work: %w", namespace, err))
	}
}

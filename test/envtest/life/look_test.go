package life

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// currentCA is the certificate that signs, in PEM, empty while there is none.
func (c *cluster) currentCA(t *testing.T) string {
	t.Helper()
	secret, err := c.client.CoreV1().Secrets(ownNamespace).Get(t.Context(), secretName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return string(secret.Data["current.crt"])
}

// bundles are the live caBundles.
func (c *cluster) bundles(t *testing.T) [][]byte {
	t.Helper()
	object, err := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), configurationName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, webhook := range object.Webhooks {
		all = append(all, webhook.ClientConfig.CABundle)
	}
	return all
}

// trusts waits until every caBundle holds a CA.
func (c *cluster) trusts(t *testing.T, ca string) {
	t.Helper()
	eventually(t, "every caBundle holds the CA", func() bool {
		for _, bundle := range c.bundles(t) {
			if !bytes.Contains(bundle, []byte(ca)) {
				return false
			}
		}
		return true
	}, nil)
}

func (c *cluster) events(t *testing.T, namespace string) []eventsv1.Event {
	t.Helper()
	list, err := c.client.EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// owner is the reference that a ReplicaSet's controller sets.
func owner() metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "orders-5d4f8c7b9", UID: "7c1b7a2e-52f0-4a5a-8a6e-0d6c3f1f9b41",
		Controller: &yes,
	}
}

// createPod creates a Pod of the owner with a readiness probe of the tool, with
// further flags of the tool.
func (c *cluster) createPod(t *testing.T, namespace string, flags ...string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "orders-", OwnerReferences: []metav1.OwnerReference{owner()}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:  "server",
			Image: "example.com/server:1.0.0",
			Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
			ReadinessProbe: &corev1.Probe{TimeoutSeconds: 5, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{
				Command: append([]string{"/bin/grpc_health_probe", "-addr=:8080"}, flags...),
			}}},
		}}},
	}
	created, err := c.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

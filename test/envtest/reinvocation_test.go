package envtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/probeshift/probeshift/pkg/mutate"
)

const rewrittenStatus = `{"probes":{"server":{"readiness":{"outcome":"rewritten","exec":["/bin/grpc_health_probe","-addr=:8080"],` +
	`"timeoutSeconds":5,"newTimeoutSeconds":2,"grpc":{"port":8080,"service":""}}}}}`

// afterLater creates a Pod in a namespace where another webhook comes after
// ours.
func afterLater(t *testing.T, w *world, later string) (stored *corev1.Pod, heard []string) {
	t.Helper()
	namespace := w.labelled(t, map[string]string{webhookLabel: "enabled", laterLabel: later})
	return w.create(t, namespace, owned(legacyPod("orders")), metav1.CreateOptions{})
}

func aContainerThatALaterWebhookAddsIsRewrittenToo(s scene) {
	t, w := s.t, s.world
	stored, heard := afterLater(t, w, "container")
	want := map[string]probe{
		"server": {nativeHandler(8080), 2},
		"agent":  {nativeHandler(9443), 2},
	}
	if diff := cmp.Diff(want, readiness(stored)); diff != "" {
		t.Errorf("probes (-want +stored):\n%s", diff)
	}
	status := `{"probes":{"agent":{"readiness":{"outcome":"rewritten","exec":["/bin/grpc_health_probe","-addr=:9443"],` +
		`"timeoutSeconds":5,"newTimeoutSeconds":2,"grpc":{"port":9443,"service":""}}},` + rewrittenStatus[len(`{"probes":{`):]
	if diff := cmp.Diff(status, stored.Annotations[mutate.StatusAnnotation]); diff != "" {
		t.Errorf("status (-want +stored):\n%s", diff)
	}
	if len(heard) > 0 {
		t.Errorf("warnings: %q", heard)
	}
}

func aProxyThatALaterWebhookAddsUndoesTheRewrite(s scene) {
	t, w := s.t, s.world
	stored, heard := afterLater(t, w, "linkerd")
	if diff := cmp.Diff(map[string]probe{"server": {execHandler(8080), 5}}, readiness(stored)); diff != "" {
		t.Errorf("probes (-want +stored):\n%s", diff)
	}
	status := `{"probes":{"server":{"readiness":{"outcome":"restored","reason":"mesh","exec":["/bin/grpc_health_probe","-addr=:8080"]}}}}`
	if diff := cmp.Diff(status, stored.Annotations[mutate.StatusAnnotation]); diff != "" {
		t.Errorf("status (-want +stored):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"probeshift: server readiness probe is exec again: mesh (container linkerd-proxy)"}, heard); diff != "" {
		t.Errorf("warnings (-want +heard):\n%s", diff)
	}
}

func aProbeThatALaterWebhookTakesOverStaysItsOwn(s scene) {
	t, w := s.t, s.world
	stored, heard := afterLater(t, w, "istio")
	taken := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/app-health/server/readyz", Port: intstr.FromInt32(15020), Scheme: corev1.URISchemeHTTP,
	}}
	if diff := cmp.Diff(map[string]probe{"server": {taken, 2}}, readiness(stored)); diff != "" {
		t.Errorf("probes (-want +stored):\n%s", diff)
	}
	if diff := cmp.Diff(rewrittenStatus, stored.Annotations[mutate.StatusAnnotation]); diff != "" {
		t.Errorf("status (-want +stored):\n%s", diff)
	}
	if len(heard) > 0 {
		t.Errorf("warnings: %q", heard)
	}
}

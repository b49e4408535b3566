package envtest

import (
	"net"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/test/envtest/installed"
)

func aWebhookThatIsDownBlocksNoPod(s scene) {
	t, w := s.t, s.world
	address := installed.FreeAddress(t)
	failsOpen(t, w, "down", endpoint{url: "https://" + address, caBundle: w.webhook.caBundle})
}

func aWebhookThatNeverAnswersBlocksNoPod(s scene) {
	t, w := s.t, s.world
	// Connections are taken by the kernel and never accepted.
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	failsOpen(t, w, "silent", endpoint{url: "https://" + listener.Addr().String(), caBundle: w.webhook.caBundle})
}

func aWebhookWithAnotherCertificateBlocksNoPod(s scene) {
	t, w := s.t, s.world
	_, caBundle := certificate(t)
	failsOpen(t, w, "untrusted", endpoint{url: w.webhook.url, caBundle: caBundle})
}

// failsOpen proves that Pods are admitted as they are while the webhook does
// not answer, and that the API server has tried.
func failsOpen(t *testing.T, w *world, suffix string, at endpoint) {
	t.Helper()
	w.install(t, relabel(configuration(t, at), suffix))
	namespace := w.fresh(t, "enabled-"+suffix)
	attempts := 0
	eventually(t, "the API server tries to call the webhook", func() (bool, error) {
		attempts++
		pod := legacyPod("orders-" + strconv.Itoa(attempts))
		stored, _ := w.create(t, namespace, pod, metav1.CreateOptions{})
		isUntouched(t, w, pod, stored)
		return triedInVain(w.auditAnnotations(t, namespace, pod.Name)), nil
	})
}

// triedInVain says whether the audit annotations tell of a webhook that was
// called, failed, and was passed over.
func triedInVain(annotations map[string]string) bool {
	for key, value := range annotations {
		if strings.HasPrefix(key, "failed-open.mutation.webhook.admission.k8s.io/") && value == "rewrite.probeshift.dev" {
			return true
		}
	}
	return false
}

const (
	// largest is how many containers a Pod of almost the size that etcd takes
	// has, large how many one has that leaves room for a status. Each holds one
	// variable of so many bytes of padding.
	largest = 1200
	large   = 500
	padding = 1150
	// crowd is how many rewritten probes no status holds.
	crowd = 500
)

// paddedPod has so many containers, the first hundred of them with a probe.
func paddedPod(containers int) *corev1.Pod {
	pod := owned(legacyPod("huge"))
	pod.Spec.Containers = nil
	for i := range containers {
		c := corev1.Container{
			Name: "c" + strconv.Itoa(i), Image: "example.com/c:1.0.0",
			Env: []corev1.EnvVar{{Name: "PADDING", Value: strings.Repeat("x", padding)}},
		}
		if i < 100 {
			probed := legacyContainer(c.Name, int32(8000+i))
			c.Ports, c.ReadinessProbe = probed.Ports, probed.ReadinessProbe
		}
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	return pod
}

func aLargePodIsRewritten(s scene) {
	t, w := s.t, s.world
	stored, _ := w.create(t, w.fresh(t, "enabled"), paddedPod(large), metav1.CreateOptions{})
	for name, probe := range readiness(stored) {
		if probe.Handler.GRPC == nil || probe.TimeoutSeconds != 2 {
			t.Errorf("%s is not rewritten: %+v", name, probe)
		}
	}
	if got := len(readiness(stored)); got != 100 {
		t.Errorf("%d probes", got)
	}
}

func theLargestPodIsAdmittedAsItIs(s scene) {
	t, w := s.t, s.world
	pod := paddedPod(largest)
	stored, heard := w.create(t, w.fresh(t, "enabled"), pod, metav1.CreateOptions{})
	isUntouched(t, w, pod, stored)
	if len(heard) != 10 || heard[0] != "probeshift: c0 readiness probe left as exec: status-too-large" {
		t.Errorf("warnings: %q", heard)
	}
}

func aPodWithMoreProbesThanAStatusHoldsIsAdmittedAsItIs(s scene) {
	t, w := s.t, s.world
	pod := owned(legacyPod("crowd"))
	pod.Spec.Containers = nil
	for i := range crowd {
		pod.Spec.Containers = append(pod.Spec.Containers, legacyContainer("c"+strconv.Itoa(i), int32(8000+i)))
	}
	stored, heard := w.create(t, w.fresh(t, "enabled"), pod, metav1.CreateOptions{})
	isUntouched(t, w, pod, stored)
	if len(heard) != 10 || heard[0] != "probeshift: c0 readiness probe left as exec: status-too-large" ||
		heard[9] != "probeshift: and 491 more" {
		t.Errorf("warnings: %q", heard)
	}
}

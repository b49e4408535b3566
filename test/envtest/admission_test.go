package envtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// bareWarning is what the owner of a bare Pod hears.
const bareWarning = "probeshift: bare-pod: "

// isRewritten says what is not as it is when the one probe of a legacyPod was
// rewritten.
func isRewritten(t *testing.T, stored *corev1.Pod) {
	t.Helper()
	if diff := cmp.Diff(map[string]probe{"server": {nativeHandler(8080), 2}}, readiness(stored)); diff != "" {
		t.Errorf("probes (-want +stored):\n%s", diff)
	}
	if diff := cmp.Diff(rewrittenStatus, stored.Annotations[mutate.StatusAnnotation]); diff != "" {
		t.Errorf("status (-want +stored):\n%s", diff)
	}
}

// isUntouched says what is not as it is when no webhook was there.
func isUntouched(t *testing.T, w *world, sent, stored *corev1.Pod) {
	t.Helper()
	if diff := cmp.Diff(essence(w.defaulted(t, sent)), essence(stored)); diff != "" {
		t.Errorf("the Pod (-without a webhook +stored):\n%s", diff)
	}
}

func aDryRunShowsTheRewriteAndStoresNothing(s scene) {
	t, w := s.t, s.world
	namespace := w.fresh(t, "enabled")
	shown, heard := w.create(t, namespace, legacyPod("orders"), dryRun())
	isRewritten(t, shown)
	if len(heard) != 1 || !strings.HasPrefix(heard[0], bareWarning) {
		t.Errorf("warnings: %q", heard)
	}
	_, err := w.client.CoreV1().Pods(namespace).Get(t.Context(), "orders", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the Pod is there: %v", err)
	}
}

func aPodWithAGeneratedNameIsRewritten(s scene) {
	t, w := s.t, s.world
	pod := legacyPod("")
	pod.GenerateName = "orders-"
	stored, _ := w.create(t, w.fresh(t, "enabled"), pod, metav1.CreateOptions{})
	isRewritten(t, stored)
	if !strings.HasPrefix(stored.Name, "orders-") {
		t.Errorf("name %s", stored.Name)
	}
}

func aPodOfAReplicaSetIsRewrittenWithoutAWarning(s scene) {
	t, w := s.t, s.world
	stored, heard := w.create(t, w.fresh(t, "enabled"), owned(legacyPod("orders")), metav1.CreateOptions{})
	isRewritten(t, stored)
	if len(heard) > 0 {
		t.Errorf("warnings: %q", heard)
	}
}

func aNativeSidecarIsRewritten(s scene) {
	t, w := s.t, s.world
	pod := plainPod()
	always := corev1.ContainerRestartPolicyAlways
	sidecar := legacyContainer("proxy", 9901)
	sidecar.RestartPolicy = &always
	pod.Spec.InitContainers = []corev1.Container{sidecar}
	stored, _ := w.create(t, w.fresh(t, "enabled"), pod, metav1.CreateOptions{})
	if diff := cmp.Diff(map[string]probe{"proxy": {nativeHandler(9901), 2}}, readiness(stored)); diff != "" {
		t.Errorf("probes (-want +stored):\n%s", diff)
	}
}

func anAuditedNamespaceOnlyHears(s scene) {
	t, w := s.t, s.world
	pod := legacyPod("orders")
	pod.Annotations = map[string]string{"probeshift.dev/probes": "rewrite"}
	stored, heard := w.create(t, w.fresh(t, "audit"), pod, metav1.CreateOptions{})
	isUntouched(t, w, pod, stored)
	want := []string{
		"probeshift: namespace-audits: the Pod asks for rewriting, but its namespace is only audited",
		"probeshift: server readiness probe would become grpc",
	}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Errorf("warnings (-want +heard):\n%s", diff)
	}
}

func aPodThatOptsOutIsNotSent(s scene) {
	t, w := s.t, s.world
	for _, mode := range []string{"enabled", "audit"} {
		pod := legacyPod("orders")
		pod.Labels = map[string]string{webhookLabel: "disabled"}
		stored, heard := w.create(t, w.fresh(t, mode), pod, metav1.CreateOptions{})
		isUntouched(t, w, pod, stored)
		if len(heard) > 0 {
			t.Errorf("%s: warnings: %q", mode, heard)
		}
	}
}

func aNamespaceWithoutTheLabelIsLeftAlone(s scene) {
	t, w := s.t, s.world
	for _, mode := range []string{"", "disabled", "true"} {
		stored, heard := w.create(t, w.fresh(t, mode), legacyPod("orders"), metav1.CreateOptions{})
		isUntouched(t, w, legacyPod("orders"), stored)
		if len(heard) > 0 {
			t.Errorf("%q: warnings: %q", mode, heard)
		}
	}
}

func excludedNamespacesAreLeftAloneWhateverTheirLabel(s scene) {
	t, w := s.t, s.world
	for _, name := range []string{"kube-system", "kube-node-lease", ownNamespace} {
		w.label(t, name, "enabled")
	}
	// Once a namespace that was labelled after them is seen, they are too.
	last := w.fresh(t, "")
	w.label(t, last, "enabled")
	w.waitCalled(t, last)
	for _, name := range []string{"kube-system", "kube-node-lease", ownNamespace} {
		stored, heard := w.create(t, name, legacyPod("orders"), dryRun())
		isUntouched(t, w, legacyPod("orders"), stored)
		if len(heard) > 0 {
			t.Errorf("%s: warnings: %q", name, heard)
		}
	}
}

func aNamespaceFollowsItsLabel(s scene) {
	t, w := s.t, s.world
	namespace := w.fresh(t, "")
	heard := func(mode string, isSo func(pod *corev1.Pod, heard []string) bool) {
		t.Helper()
		w.label(t, namespace, mode)
		eventually(t, "the namespace is treated as "+mode, func() (bool, error) {
			pod, heard := w.create(t, namespace, owned(legacyPod("orders")), dryRun())
			return isSo(pod, heard), nil
		})
	}
	heard("enabled", func(pod *corev1.Pod, heard []string) bool {
		return pod.Annotations[mutate.StatusAnnotation] == rewrittenStatus && len(heard) == 0
	})
	heard("audit", func(pod *corev1.Pod, heard []string) bool {
		return pod.Annotations[mutate.StatusAnnotation] == "" && len(heard) == 1
	})
	heard("disabled", func(pod *corev1.Pod, heard []string) bool {
		return pod.Annotations[mutate.StatusAnnotation] == "" && len(heard) == 0
	})
}

func aPodWithNothingInItIsLeftAlone(s scene) {
	t, w := s.t, s.world
	for _, mode := range []string{"enabled", "audit"} {
		stored, heard := w.create(t, w.fresh(t, mode), plainPod(), metav1.CreateOptions{})
		isUntouched(t, w, plainPod(), stored)
		if len(heard) > 0 {
			t.Errorf("%s: warnings: %q", mode, heard)
		}
	}
}

func aMirrorPodIsLeftAlone(s scene) {
	t, w := s.t, s.world
	pod := legacyPod("orders-node-1")
	pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "9c1a"}
	pod.Spec.NodeName = "node-1"
	stored, heard := w.create(t, w.fresh(t, "enabled"), pod, metav1.CreateOptions{})
	isUntouched(t, w, pod, stored)
	if len(heard) > 0 {
		t.Errorf("warnings: %q", heard)
	}
}

package envtest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// manifest is a bare Pod as its author writes it.
func manifest(t *testing.T) []byte {
	t.Helper()
	return encode(t, map[string]any{
		"apiVersion": "v1",
		"kind":       "Pod",
		"metadata":   map[string]any{"name": "orders"},
		"spec": map[string]any{"containers": []any{map[string]any{
			"name":  "server",
			"image": "example.com/server:1.0.0",
			"ports": []any{map[string]any{"containerPort": 8080}},
			"readinessProbe": map[string]any{
				"exec":           map[string]any{"command": []string{"/bin/grpc_health_probe", "-addr=:8080"}},
				"timeoutSeconds": 5,
			},
		}}},
	})
}

func aPodFromServerSideApplyIsRewritten(s scene) {
	t, w := s.t, s.world
	pods := w.client.CoreV1().Pods(w.fresh(t, "enabled"))
	options := metav1.PatchOptions{FieldManager: "test"}
	stored, err := pods.Patch(t.Context(), "orders", types.ApplyPatchType, manifest(t), options)
	if err != nil {
		t.Fatal(err)
	}
	isRewritten(t, stored)
	// Both handlers would be there, which is what the warning says of bare Pods.
	_, err = pods.Patch(t.Context(), "orders", types.ApplyPatchType, manifest(t), options)
	if !apierrors.IsInvalid(err) {
		t.Errorf("applied a second time: %v", err)
	}
}

// lastApplied is where kubectl apply keeps what it applied.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func aBarePodAppliedASecondTimeIsRefusedAsWarned(s scene) {
	t, w := s.t, s.world
	namespace := w.fresh(t, "enabled")
	var pod corev1.Pod
	decode(t, manifest(t), &pod)
	pod.Annotations = map[string]string{lastApplied: string(manifest(t))}
	stored, heard := w.create(t, namespace, &pod, metav1.CreateOptions{})
	if len(heard) != 1 || !strings.HasPrefix(heard[0], bareWarning) {
		t.Errorf("warnings: %q", heard)
	}
	if err := applyAgain(t, w, stored); !apierrors.IsInvalid(err) {
		t.Errorf("applied a second time: %v", err)
	}
	kept, err := w.client.CoreV1().Pods(namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	isRewritten(t, kept)
}

func aBarePodThatIsSkippedCanBeAppliedASecondTime(s scene) {
	t, w := s.t, s.world
	var pod corev1.Pod
	decode(t, manifest(t), &pod)
	pod.Annotations = map[string]string{lastApplied: string(manifest(t))}
	stored, heard := w.create(t, w.fresh(t, "enabled-"+w.suffixes["--bare-pods=skip"]), &pod, metav1.CreateOptions{})
	if want := "probeshift: server readiness probe left as exec: bare-pod"; len(heard) != 1 || heard[0] != want {
		t.Errorf("warnings: %q", heard)
	}
	if err := applyAgain(t, w, stored); err != nil {
		t.Errorf("applied a second time: %v", err)
	}
}

// applyAgain does what kubectl apply does to a Pod that it created: a
// strategic merge of what was applied, what is to be applied and what is
// stored.
func applyAgain(t *testing.T, w *world, stored *corev1.Pod) error {
	t.Helper()
	var pod corev1.Pod
	decode(t, manifest(t), &pod)
	pod.Annotations = map[string]string{lastApplied: string(manifest(t))}
	meta, err := strategicpatch.NewPatchMetaFromStruct(pod)
	if err != nil {
		t.Fatal(err)
	}
	modified := withoutStatus(t, &pod)
	patch, err := strategicpatch.CreateThreeWayMergePatch(manifest(t), modified, encode(t, stored), meta, true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client.CoreV1().Pods(stored.Namespace).Patch(t.Context(), stored.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// withoutStatus is a Pod's JSON without the fields that no manifest has.
func withoutStatus(t *testing.T, pod *corev1.Pod) []byte {
	t.Helper()
	var object map[string]any
	decode(t, encode(t, pod), &object)
	delete(object, "status")
	return encode(t, object)
}

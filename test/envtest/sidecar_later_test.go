package envtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

// lbAfterLater creates a Pod that asks for the sidecar in a namespace where
// another webhook comes after ours, which is then called again.
func lbAfterLater(s scene, later, upstreams string) (stored *corev1.Pod, heard []string) {
	namespace := s.world.labelled(s.t, map[string]string{webhookLabel: "enabled", laterLabel: later})
	pod := owned(lbClient("orders", map[string]string{"upstreams": upstreams}))
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	return s.world.create(s.t, namespace, pod, metav1.CreateOptions{})
}

// checkInjectedOnce checks that the sidecar is there once and matches its status.
func checkInjectedOnce(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{sidecar.ContainerName}, names); diff != "" {
		t.Errorf("init containers (-want +stored):\n%s", diff)
	}
	if again := sidecar.Inject(pod, pod.Namespace, sidecar.DefaultPolicy()); again.Outcome != sidecar.AlreadyInjected {
		t.Errorf("the stored Pod counts as %s: %s", again.Outcome, again.Message())
	}
}

func aLaterContainerOnTheSamePortIsTold(s scene) {
	stored, heard := lbAfterLater(s, "container", "greeter.hall:9443")
	checkInjectedOnce(s.t, stored)
	if len(stored.Spec.Containers) != 2 {
		s.t.Fatalf("the later webhook added no container: %d", len(stored.Spec.Containers))
	}
	want := "probeshift: later-port-clash: port 9443 is the sidecar's for greeter.hall:9443, and container agent declares it"
	if diff := cmp.Diff([]string{want}, heard); diff != "" {
		s.t.Errorf("warnings (-want +heard):\n%s", diff)
	}
}

func aLaterMeshIsTold(s scene) {
	stored, heard := lbAfterLater(s, "linkerd", "greeter.hall:9000")
	checkInjectedOnce(s.t, stored)
	want := "probeshift: later-mesh: the Pod has the sidecar and is part of a mesh too (container linkerd-proxy): remove one"
	if diff := cmp.Diff([]string{want}, heard); diff != "" {
		s.t.Errorf("warnings (-want +heard):\n%s", diff)
	}
}

func theProbeAndTheSidecarAreInOnePatch(s scene) {
	t := s.t
	namespace := s.world.fresh(t, "enabled")
	pod := owned(legacyPod("orders"))
	pod.Annotations = map[string]string{sidecar.UpstreamsAnnotation: "greeter.hall:9000"}
	always := corev1.ContainerRestartPolicyAlways
	agent := legacyContainer("agent", 9443)
	agent.RestartPolicy = &always
	pod.Spec.InitContainers = []corev1.Container{agent}
	stored, _ := s.world.create(t, namespace, pod, metav1.CreateOptions{})
	// readiness names the containers, so that it shows the probes at their places.
	got := readiness(stored)
	if diff := cmp.Diff(probe{nativeHandler(8080), 2}, got["server"]); diff != "" {
		t.Errorf("the app's probe (-want +stored):\n%s", diff)
	}
	var names []string
	for _, c := range stored.Spec.InitContainers {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{sidecar.ContainerName, "agent"}, names); diff != "" {
		t.Fatalf("init containers (-want +stored):\n%s", diff)
	}
	if diff := cmp.Diff(nativeHandler(9443), stored.Spec.InitContainers[1].ReadinessProbe.ProbeHandler); diff != "" {
		t.Errorf("the native sidecar's probe (-want +stored):\n%s", diff)
	}
	for _, key := range []string{mutate.StatusAnnotation, sidecar.StatusAnnotation} {
		if stored.Annotations[key] == "" {
			t.Errorf("there is no annotation %s", key)
		}
	}
}

func aLivePodCanBeCopied(s scene) {
	t := s.t
	namespace := s.world.fresh(t, "enabled")
	stored, _ := s.world.create(t, namespace, lbClient("first", map[string]string{"upstreams": "greeter.hall:9000"}), metav1.CreateOptions{})
	copied := withoutOwnFields(stored.DeepCopy())
	copied.Name = "second"
	again, heard := s.world.create(t, namespace, copied, metav1.CreateOptions{})
	if diff := cmp.Diff(stored.Spec, again.Spec); diff != "" {
		t.Errorf("the copy (-first +second):\n%s", diff)
	}
	if len(heard) > 0 {
		t.Errorf("warnings: %q", heard)
	}
}

func aRefusalIsToldInOneLineAndInTheAuditLog(s scene) {
	t := s.t
	pod := lbClient("refused", map[string]string{"upstreams": "greeter.hall", "algorithm": "fastest"})
	_, err := s.world.client.CoreV1().Pods(lbcases.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	message := `the load-balancing sidecar cannot be injected, 2 problems: ` +
		`(1) annotation lb.probeshift.dev/algorithm is "fastest": use least-request, round-robin or random; ` +
		`(2) upstream "greeter.hall": it has no port: write greeter.hall:<port>`
	if err == nil || !strings.HasSuffix(err.Error(), "denied the request: "+message) {
		t.Fatalf("error %v, want %s", err, message)
	}
	got := ourAnnotations(s.world.auditAnnotations(t, lbcases.Namespace, "refused"))
	if diff := cmp.Diff(map[string]string{"rewrite.probeshift.dev/sidecar-refused": message}, got); diff != "" {
		t.Errorf("audit annotations (-want +logged):\n%s", diff)
	}
}

func aPodThatOptsOutIsNotInjected(s scene) {
	t := s.t
	pod := lbClient("opted-out", map[string]string{"upstreams": "greeter", "algorithm": "fastest"})
	pod.Labels = map[string]string{webhookLabel: "disabled"}
	stored, heard := s.world.create(t, lbcases.Namespace, pod, metav1.CreateOptions{})
	if len(stored.Spec.InitContainers) > 0 || len(heard) > 0 {
		t.Errorf("init containers %d, warnings %q", len(stored.Spec.InitContainers), heard)
	}
}

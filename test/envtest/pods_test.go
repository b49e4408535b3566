package envtest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// legacyPod is a Pod whose one container has a readiness probe of the tool.
func legacyPod(name string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{legacyContainer("server", 8080)}},
	}
}

// legacyContainer has a readiness probe of the tool with a timeout of 5, which
// is 2 when the probe is native.
func legacyContainer(name string, port int32) corev1.Container {
	return corev1.Container{
		Name:           name,
		Image:          "example.com/" + name + ":1.0.0",
		Ports:          []corev1.ContainerPort{{ContainerPort: port}},
		ReadinessProbe: &corev1.Probe{ProbeHandler: execHandler(port), TimeoutSeconds: 5},
	}
}

// execHandler runs the tool against a port.
func execHandler(port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{Exec: &corev1.ExecAction{
		Command: []string{"/bin/grpc_health_probe", fmt.Sprintf("-addr=:%d", port)},
	}}
}

// nativeHandler is what execHandler becomes.
func nativeHandler(port int32) corev1.ProbeHandler {
	service := ""
	return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port, Service: &service}}
}

// probe is what the tests look at of a stored probe.
type probe struct {
	Handler        corev1.ProbeHandler
	TimeoutSeconds int32
}

// readiness returns the readiness probes by the names of their containers.
func readiness(pod *corev1.Pod) map[string]probe {
	probes := map[string]probe{}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			if c.ReadinessProbe != nil {
				probes[c.Name] = probe{c.ReadinessProbe.ProbeHandler, c.ReadinessProbe.TimeoutSeconds}
			}
		}
	}
	return probes
}

// owned gives a Pod the owner reference that a ReplicaSet's controller sets.
func owned(pod *corev1.Pod) *corev1.Pod {
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "orders-5d4f8c7b9", UID: "7c1b7a2e-52f0-4a5a-8a6e-0d6c3f1f9b41",
		Controller: &yes, BlockOwnerDeletion: &yes,
	}}
	return pod
}

// plainPod has neither probes nor labels nor annotations.
func plainPod() *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "orders"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "server", Image: "example.com/server:1.0.0"}}},
	}
}

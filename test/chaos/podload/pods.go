package podload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// newPod is a Pod with a probe by grpc_health_probe, or with one that is none of
// the webhook's business. A scheduling gate keeps it from running anywhere.
func newPod(legacy bool) *corev1.Pod {
	probe := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}
	if legacy {
		probe = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/grpc_health_probe", "-addr=:50051"}}}
	}
	never := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "load-"},
		Spec: corev1.PodSpec{
			SchedulingGates:               []corev1.PodSchedulingGate{{Name: "probeshift.dev/load"}},
			TerminationGracePeriodSeconds: &never,
			Containers: []corev1.Container{{
				Name:           "server",
				Image:          "registry.example/server",
				Ports:          []corev1.ContainerPort{{ContainerPort: 50051}, {ContainerPort: 8080}},
				ReadinessProbe: &corev1.Probe{ProbeHandler: probe},
			}},
		},
	}
}

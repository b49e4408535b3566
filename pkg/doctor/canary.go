package doctor

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CanaryPod returns the Pod of the dry run: a legacy probe, and otherwise what
// passes Pod Security "restricted" and most quotas. The probe verifies TLS, which
// no policy rewrites, so that an audited namespace has something to warn of.
func CanaryPod() *corev1.Pod {
	no, yes, user := false, true, int64(65532)
	small := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "probeshift-doctor-"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				RunAsUser:      &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:      "server",
				Image:     "localhost/probeshift/doctor:dry-run",
				Resources: corev1.ResourceRequirements{Requests: small, Limits: small},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
					Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe", "-addr=:9000", "-tls"}},
				}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no,
					ReadOnlyRootFilesystem:   &yes,
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// ServiceName is the Service that our configuration names; ok is false where it
// names none.
func (f *Facts) ServiceName() (name ServiceName, ok bool) {
	c := f.configuration()
	if c == nil {
		return name, false
	}
	for i := range c.Webhooks {
		if s := c.Webhooks[i].ClientConfig.Service; s != nil {
			return ServiceName{s.Namespace, s.Name}, true
		}
	}
	return name, false
}

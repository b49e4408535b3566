package admission

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod holds the fields of a Pod that a decision depends on. Decoding only
// these takes half the time of a whole corev1.Pod, and a field that this
// release does not know, or cannot read, is no concern of ours.
type pod struct {
	Metadata *podMeta `json:"metadata"`
	Spec     *podSpec `json:"spec"`
}

type podMeta struct {
	Name            string                  `json:"name"`
	GenerateName    string                  `json:"generateName"`
	Namespace       string                  `json:"namespace"`
	Labels          map[string]string       `json:"labels"`
	Annotations     map[string]string       `json:"annotations"`
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences"`
}

type podSpec struct {
	HostNetwork       bool               `json:"hostNetwork"`
	Hostname          string             `json:"hostname"`
	Subdomain         string             `json:"subdomain"`
	HostnameOverride  *string            `json:"hostnameOverride"`
	SetHostnameAsFQDN *bool              `json:"setHostnameAsFQDN"`
	HostAliases       []corev1.HostAlias `json:"hostAliases"`
	InitContainers    []container        `json:"initContainers"`
	Containers        []container        `json:"containers"`
}

type container struct {
	Name           string                         `json:"name"`
	Env            []corev1.EnvVar                `json:"env"`
	Ports          []corev1.ContainerPort         `json:"ports"`
	RestartPolicy  *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	LivenessProbe  *corev1.Probe                  `json:"livenessProbe"`
	ReadinessProbe *corev1.Probe                  `json:"readinessProbe"`
	StartupProbe   *corev1.Probe                  `json:"startupProbe"`
}

// core returns the Pod with these fields alone.
func (p *pod) core() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            p.Metadata.Name,
			GenerateName:    p.Metadata.GenerateName,
			Namespace:       p.Metadata.Namespace,
			Labels:          p.Metadata.Labels,
			Annotations:     p.Metadata.Annotations,
			OwnerReferences: p.Metadata.OwnerReferences,
		},
		Spec: corev1.PodSpec{
			HostNetwork:       p.Spec.HostNetwork,
			Hostname:          p.Spec.Hostname,
			Subdomain:         p.Spec.Subdomain,
			HostnameOverride:  p.Spec.HostnameOverride,
			SetHostnameAsFQDN: p.Spec.SetHostnameAsFQDN,
			HostAliases:       p.Spec.HostAliases,
			InitContainers:    coreContainers(p.Spec.InitContainers),
			Containers:        coreContainers(p.Spec.Containers),
		},
	}
}

// coreContainers keeps nil as nil: to a reader of the Pod a list that is
// absent is not one that is empty.
func coreContainers(containers []container) []corev1.Container {
	if containers == nil {
		return nil
	}
	out := make([]corev1.Container, len(containers))
	for i, c := range containers {
		out[i] = corev1.Container{
			Name:           c.Name,
			Env:            c.Env,
			Ports:          c.Ports,
			RestartPolicy:  c.RestartPolicy,
			LivenessProbe:  c.LivenessProbe,
			ReadinessProbe: c.ReadinessProbe,
			StartupProbe:   c.StartupProbe,
		}
	}
	return out
}

// isMirror says whether the Pod is the API server's picture of a static Pod.
// The kubelet runs what its file says, whatever is written here.
func (p *pod) isMirror() bool {
	_, mirror := p.Metadata.Annotations[corev1.MirrorPodAnnotationKey]
	return mirror
}

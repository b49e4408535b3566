package sidecar

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

const (
	// ContainerName is the name of the sidecar's container.
	ContainerName = "probeshift-lb"
	// DefaultImage is Envoy's own image without a shell.
	DefaultImage = "docker.io/envoyproxy/envoy:distroless-v1.40.0"
	// metricsPortName is how a PodMonitor finds the metrics port.
	metricsPortName = "lb-metrics"
	// userID is the sidecar's own, so that it shares a port with nobody by
	// SO_REUSEPORT, which asks for one UID. It is below 65,536, because a Pod
	// with a user namespace has no more.
	userID = 62902
)

// newContainer builds the native sidecar. There is no volume in it: an emptyDir
// would block kubectl drain and the scale-down of nodes.
func newContainer(pod *corev1.Pod, image string, config envoy.Config, bootstrap string, resources corev1.ResourceRequirements) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	user, yes, no := freeUser(pod), true, false
	return corev1.Container{
		Name:  ContainerName,
		Image: image,
		Args: []string{
			"--config-yaml", bootstrap,
			"--concurrency", "1", // one worker: pools are not divided, and least-request sees all
			"--disable-hot-restart", // it needs shared memory, and the kubelet restarts containers
			"--log-level", "warning",
		},
		Ports:         []corev1.ContainerPort{{Name: metricsPortName, ContainerPort: int32(config.MetricsPort), Protocol: corev1.ProtocolTCP}},
		Env:           environment(config),
		Resources:     resources,
		RestartPolicy: &always,
		// The app starts once this has passed: with empty pools, if DNS is silent.
		StartupProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/ready", Port: intstr.FromInt32(int32(config.MetricsPort)), Scheme: corev1.URISchemeHTTP,
			}},
			PeriodSeconds:    1,
			TimeoutSeconds:   1,
			FailureThreshold: 60,
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser:                &user,
			RunAsGroup:               &user,
			RunAsNonRoot:             &yes,
			ReadOnlyRootFilesystem:   &yes,
			AllowPrivilegeEscalation: &no,
			Privileged:               &no,
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// environment is what the kubelet expands in the arguments.
func environment(config envoy.Config) []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	all := []corev1.EnvVar{field("POD_IP", "status.podIP")}
	if config.Discovery == nil {
		return all
	}
	// The API server copies the label from the node as it binds the Pod (KEP-4742,
	// by default from 1.35). Where it does not the variable is empty
	// (pkg/fieldpath.ExtractFieldPathAsString in k8s.io/kubernetes), and discovery
	// takes it for an unknown zone.
	return append(all, field("NODE_ZONE", "metadata.labels['"+corev1.LabelTopologyZone+"']"))
}

// freeUser is a UID that no container of the Pod names.
func freeUser(pod *corev1.Pod) int64 {
	used := map[int64]bool{}
	if c := pod.Spec.SecurityContext; c != nil && c.RunAsUser != nil {
		used[*c.RunAsUser] = true
	}
	visitContainers(pod, func(c *corev1.Container, _ string) {
		if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
			used[*c.SecurityContext.RunAsUser] = true
		}
	})
	user := int64(userID)
	for used[user] {
		user++
	}
	return user
}

// Bootstrap returns the configuration in the arguments of an injected Pod's
// sidecar as Envoy gets it, but with $(POD_IP) and $(NODE_ZONE) still in it. found
// is false for a Pod without the sidecar.
func Bootstrap(pod *corev1.Pod) (bootstrap string, found bool) {
	c, found := container(pod)
	if !found || len(c.Args) < 2 {
		return "", false
	}
	return strings.ReplaceAll(c.Args[1], "$$", "$"), true
}

// container returns the native sidecar of a Pod.
func container(pod *corev1.Pod) (c *corev1.Container, found bool) {
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.Name == ContainerName {
			return c, c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
	}
	return nil, false
}

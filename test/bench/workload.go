package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// templateHash is the part of a Pod's names that a Deployment makes up. Where
// many different Pods are wanted it is what differs.
const templateHash = "5d4f8c7b9d"

// workload is a Pod and what a right answer makes of it.
type workload struct {
	// name is what the tables call it.
	name string
	pod  *corev1.Pod
	// large reviews are measured with fewer requests.
	large bool
	// ours says that the Pod holds probes of the tool: the webhook marks it
	// with its status annotation even when it rewrites none.
	ours bool
	// native is how many probes a rewrite makes native.
	native int
	// target is the most CPU of the floor's that the webhook may take, 0 for
	// no target.
	target float64
}

// workloads are the rows of the tables.
func workloads() []workload {
	return []workload{
		{name: "small, nothing to do", pod: smallPod(httpGet), target: 1.3},
		{name: "small, only skipped", pod: smallPod(verifiedTLS), ours: true},
		{name: "small, rewritten", pod: smallPod(plaintext), ours: true, native: 2, target: 2},
		{name: "large, nothing to do", pod: largePod(httpGet), large: true, target: 1.3},
		{name: "large, rewritten", pod: largePod(plaintext), large: true, ours: true, native: 40, target: 8},
	}
}

// probeOf is a probe of the gRPC server at a port.
type probeOf func(port int32) corev1.ProbeHandler

// plaintext is the probe that every rewrite here makes native.
func plaintext(port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{Exec: &corev1.ExecAction{
		Command: []string{"/bin/grpc_health_probe", fmt.Sprintf("--addr=:%d", port)},
	}}
}

// verifiedTLS is a probe of the tool that has no native form.
func verifiedTLS(port int32) corev1.ProbeHandler {
	probe := plaintext(port)
	probe.Exec.Command = append(probe.Exec.Command, "--tls", "--tls-ca-cert=/tls/ca.crt")
	return probe
}

// httpGet is a probe that is none of the tool's.
func httpGet(port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(metricsPort(port))}}
}

// metricsPort is where the gRPC server at a port serves its metrics.
func metricsPort(port int32) int32 { return port + 93 }

// smallPod is a Pod as a Deployment of one gRPC service makes it.
func smallPod(probe probeOf) *corev1.Pod {
	pod := podOf("pr12er")
	pod.Spec.Containers = []corev1.Container{container("", 9000, 1, probe)}
	return pod
}

// largePod has 20 containers with two probes each and many variables.
func largePod(probe probeOf) *corev1.Pod {
	pod := podOf("pr12er-all")
	for i := range int32(20) {
		pod.Spec.Containers = append(pod.Spec.Containers, container(fmt.Sprintf("-%d", i), 9000+i, 11, probe))
	}
	return pod
}

// podOf is a Pod of the Deployment name, without containers.
func podOf(name string) *corev1.Pod {
	controller := true
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: name + "-" + templateHash + "-",
			Labels: map[string]string{
				"app.kubernetes.io/name":    name,
				"app.kubernetes.io/part-of": "pull-requests",
				"pod-template-hash":         templateHash,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-" + templateHash,
				UID:        types.UID("5f0a3c52-7f0c-4a59-9a39-6f3f1f1f6a11"),
				Controller: &controller, BlockOwnerDeletion: &controller,
			}},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "default",
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: name},
				}}},
			},
		},
	}
}

// container is one gRPC server with the same probe twice. The suffix tells
// those of a Pod apart.
func container(suffix string, port int32, variables int, probe probeOf) corev1.Container {
	name := "server" + suffix
	c := corev1.Container{
		Name:  name,
		Image: "registry.example/pull-requests/" + name + ":v1.24.3",
		Args:  []string{fmt.Sprintf("--listen=:%d", port), "--config=/etc/" + name + "/config.yaml"},
		Ports: []corev1.ContainerPort{
			{Name: "grpc" + suffix, ContainerPort: port},
			{Name: "http-metrics" + suffix, ContainerPort: metricsPort(port)},
		},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("100m"),
				corev1.ResourceMemory: resource.MustParse("128Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		ReadinessProbe: &corev1.Probe{ProbeHandler: probe(port), InitialDelaySeconds: 5},
		LivenessProbe:  &corev1.Probe{ProbeHandler: probe(port), InitialDelaySeconds: 10},
		VolumeMounts:   []corev1.VolumeMount{{Name: "config", MountPath: "/etc/" + name, ReadOnly: true}},
	}
	for i := range variables {
		c.Env = append(c.Env, corev1.EnvVar{
			Name:  fmt.Sprintf("PULL_REQUESTS_SETTING_%02d", i),
			Value: strings.Repeat("value-", 6),
		})
	}
	return c
}

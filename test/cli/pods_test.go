//go:build linux

package cli

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// legacy is a Pod of a Deployment whose container "server" has probes of the
// tool.
func legacy(deployment, suffix string, change ...func(*corev1.Pod)) *corev1.Pod {
	const hash = "5d4f8c7b9"
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:   deployment + "-" + hash + "-" + suffix,
			Labels: map[string]string{"app": deployment, "pod-template-hash": hash},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-" + hash, UID: types.UID("uid-" + deployment), Controller: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{{
				Name: "server", Image: "registry.example/" + deployment + ":1.4.2",
				Ports:          []corev1.ContainerPort{{ContainerPort: 9000}},
				LivenessProbe:  probe(10, "-addr=:9000"),
				ReadinessProbe: probe(10, "-addr=:9000"),
			}},
		},
	}
	for _, f := range change {
		f(pod)
	}
	return pod
}

// probe runs the tool.
func probe(period int32, args ...string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: append([]string{"/bin/grpc_health_probe"}, args...)}},
		TimeoutSeconds: 5, PeriodSeconds: period,
	}
}

// namespace makes a namespace with these labels.
func (c *cluster) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	_, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// create creates a Pod.
func (c *cluster) create(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	created, err := c.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// start makes a Pod look as its kubelet would have it: running at an address.
func (c *cluster) start(t *testing.T, pod *corev1.Pod, ip string, ready bool) {
	t.Helper()
	started := true
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	pod.Status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: ready, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1700000000, 0)}},
		})
	}
	if _, err := c.client.CoreV1().Pods(pod.Namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(fmt.Errorf("status of %s: %w", pod.Name, err))
	}
}

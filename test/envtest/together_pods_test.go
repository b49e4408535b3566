package envtest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podsOfControllers are Pods as the workload controllers make them of a
// template with a legacy probe.
func podsOfControllers() map[string]*corev1.Pod {
	of := func(apiVersion, kind, owner string, change func(*corev1.Pod)) *corev1.Pod {
		pod, yes := legacyPod(""), true
		pod.GenerateName = owner + "-"
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: apiVersion, Kind: kind, Name: owner, UID: "7c1b7a2e-52f0-4a5a-8a6e-0d6c3f1f9b41", Controller: &yes, BlockOwnerDeletion: &yes,
		}}
		change(pod)
		return pod
	}
	return map[string]*corev1.Pod{
		"ReplicaSet": of("apps/v1", "ReplicaSet", "orders-5d4f8c7b9", func(pod *corev1.Pod) {
			pod.Labels = map[string]string{"pod-template-hash": "5d4f8c7b9"}
		}),
		"ReplicationController": of("v1", "ReplicationController", "orders", func(*corev1.Pod) {}),
		"StatefulSet": of("apps/v1", "StatefulSet", "orders", func(pod *corev1.Pod) {
			pod.GenerateName, pod.Name = "", "orders-0"
			pod.Labels = map[string]string{"apps.kubernetes.io/pod-index": "0", "controller-revision-hash": "orders-7d9", "statefulset.kubernetes.io/pod-name": "orders-0"}
			pod.Spec.Hostname, pod.Spec.Subdomain = "orders-0", "orders"
		}),
		"DaemonSet": of("apps/v1", "DaemonSet", "orders", func(pod *corev1.Pod) {
			pod.Labels = map[string]string{"controller-revision-hash": "7d9", "pod-template-generation": "1"}
			pod.Spec.Tolerations = []corev1.Toleration{{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}
			pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
					Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"node-1"},
				}}}},
			}}}
		}),
		"Job": of("batch/v1", "Job", "orders", func(pod *corev1.Pod) {
			pod.Labels = map[string]string{"batch.kubernetes.io/job-name": "orders", "job-name": "orders"}
			pod.Annotations = map[string]string{"batch.kubernetes.io/job-completion-index": "3"}
			pod.Finalizers = []string{"batch.kubernetes.io/job-tracking"}
			pod.Spec.RestartPolicy = corev1.RestartPolicyNever
			pod.Spec.Hostname = "orders-3"
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "JOB_COMPLETION_INDEX", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['batch.kubernetes.io/job-completion-index']"},
			}}}
		}),
		"CronJob": of("batch/v1", "Job", "orders-29384756", func(pod *corev1.Pod) {
			pod.Labels = map[string]string{"batch.kubernetes.io/job-name": "orders-29384756"}
			pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}),
	}
}

// requesting is a Pod that asks for CPU.
func requesting(cpu string) *corev1.Pod {
	pod := owned(legacyPod("orders"))
	request(pod, cpu)
	return pod
}

func request(pod *corev1.Pod, cpu string) {
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
}

// resizeTo resizes a stored Pod.
func resizeTo(cpu string) func(*testing.T, *world, *corev1.Pod) *corev1.Pod {
	return func(t *testing.T, w *world, stored *corev1.Pod) *corev1.Pod { return w.resize(t, stored, cpu) }
}

// resize changes a stored Pod's requests through its subresource.
func (w *world) resize(t *testing.T, stored *corev1.Pod, cpu string) *corev1.Pod {
	t.Helper()
	request(stored, cpu)
	resized, err := w.client.CoreV1().Pods(stored.Namespace).UpdateResize(t.Context(), stored.Name, stored, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return resized
}

// annotate updates a stored Pod.
func (w *world) annotate(t *testing.T, stored *corev1.Pod, key, value string) *corev1.Pod {
	t.Helper()
	stored.Annotations[key] = value
	updated, err := w.client.CoreV1().Pods(stored.Namespace).Update(t.Context(), stored, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

// debug adds an ephemeral container, as kubectl debug does.
func debug(t *testing.T, w *world, stored *corev1.Pod) *corev1.Pod {
	t.Helper()
	stored.Spec.EphemeralContainers = append(stored.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: "example.com/debug:1.0.0", Command: []string{"/bin/grpc_health_probe", "-addr=:8080"},
			TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
		},
	})
	updated, err := w.client.CoreV1().Pods(stored.Namespace).UpdateEphemeralContainers(t.Context(), stored.Name, stored, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

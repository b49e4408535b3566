package survey

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Owner names the workload that a Pod belongs to; a Pod without a controller is
// its own.
type Owner struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
}

// String is kubectl's way to name it: deployment/payments.
func (o Owner) String() string { return strings.ToLower(o.Kind) + "/" + o.Name }

// Compare orders owners by namespace, kind and name.
func (o Owner) Compare(other Owner) int {
	return cmp.Or(cmp.Compare(o.Namespace, other.Namespace), cmp.Compare(o.Kind, other.Kind), cmp.Compare(o.Name, other.Name))
}

// templateHashes are the labels that name the Pod template of a ReplicaSet, and
// the kind of its owner: a Deployment's or an Argo Rollout's ReplicaSet is named
// after its owner and this hash.
var templateHashes = map[string]string{
	"pod-template-hash":          "Deployment",
	"rollouts-pod-template-hash": "Rollout",
}

// OwnerOf is a Pod's workload, as far as the Pod itself tells: a ReplicaSet that
// a Deployment made counts as the Deployment, without asking for it. A Job does
// not tell whether a CronJob made it.
func OwnerOf(pod *corev1.Pod) Owner {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil || isMirror(pod) {
		return Owner{pod.Namespace, "Pod", cmp.Or(pod.Name, pod.GenerateName)}
	}
	if controller.Kind == "ReplicaSet" {
		for label, kind := range templateHashes {
			hash := pod.Labels[label]
			if name, ok := strings.CutSuffix(controller.Name, "-"+hash); ok && hash != "" && name != "" {
				return Owner{pod.Namespace, kind, name}
			}
		}
	}
	return Owner{pod.Namespace, controller.Kind, controller.Name}
}

// isMirror says whether a Pod is the API server's picture of a static Pod, which
// no webhook can change.
func isMirror(pod *corev1.Pod) bool {
	_, is := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return is
}

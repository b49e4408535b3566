package survey_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/survey"
)

// ownedBy makes a Pod with a controller.
func ownedBy(kind, name string, labels map[string]string) *corev1.Pod {
	yes := true
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "the-pod", Labels: labels,
		OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &yes}},
	}}
}

func TestTheOwnerIsWhatThePodTells(t *testing.T) {
	mirror := ownedBy("Node", "node1", nil)
	mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"a Deployment, through its ReplicaSet":   {ownedBy("ReplicaSet", "web-api-5d4f8c7b9", map[string]string{"pod-template-hash": "5d4f8c7b9"}), "deployment/web-api"},
		"a Rollout, through its ReplicaSet":      {ownedBy("ReplicaSet", "web-7f9", map[string]string{"rollouts-pod-template-hash": "7f9"}), "rollout/web"},
		"a ReplicaSet that nobody made":          {ownedBy("ReplicaSet", "web", nil), "replicaset/web"},
		"a ReplicaSet with a label of the Pod's": {ownedBy("ReplicaSet", "web", map[string]string{"pod-template-hash": "5d4"}), "replicaset/web"},
		"a ReplicaSet that is all hash":          {ownedBy("ReplicaSet", "-5d4", map[string]string{"pod-template-hash": "5d4"}), "replicaset/-5d4"},
		"an empty hash":                          {ownedBy("ReplicaSet", "web-", map[string]string{"pod-template-hash": ""}), "replicaset/web-"},
		"a StatefulSet":                          {ownedBy("StatefulSet", "db", nil), "statefulset/db"},
		"a Job":                                  {ownedBy("Job", "report-29", nil), "job/report-29"},
		"nobody":                                 {&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "by-hand"}}, "pod/by-hand"},
		"nobody, and no name yet":                {&corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "by-hand-"}}, "pod/by-hand-"},
		"a node, for a static Pod":               {mirror, "pod/the-pod"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := survey.OwnerOf(tc.pod).String(); got != tc.want {
				t.Errorf("owner %s, want %s", got, tc.want)
			}
		})
	}
}

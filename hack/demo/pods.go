package main

import (
	"fmt"
	"hash/crc32"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
)

/*
No controller runs beside the demo's API server, so the Pods are made here, with
the name, labels and owner reference that the controller of each kind gives them.
The owners themselves need not exist: only a garbage collector would look.
*/

// podOf makes the Pod that the controller of an object would create first. A
// Pod is taken as it is.
func podOf(object runtime.Object) (*corev1.Pod, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		return o, nil
	case *appsv1.Deployment:
		return podOfDeployment(o), nil
	case *appsv1.DaemonSet:
		pod := fromTemplate(o.Spec.Template, "DaemonSet", o.Name)
		pod.GenerateName = o.Name + "-"
		return pod, nil
	case *appsv1.StatefulSet:
		return podOfStatefulSet(o), nil
	}
	return nil, fmt.Errorf("%s is not a kind whose Pods are known here: add it to podOf", object.GetObjectKind().GroupVersionKind().Kind)
}

// podOfDeployment makes the Pod of the ReplicaSet that a Deployment makes.
func podOfDeployment(d *appsv1.Deployment) *corev1.Pod {
	sum := crc32.ChecksumIEEE([]byte(d.Spec.Template.String()))
	hash := rand.SafeEncodeString(strconv.FormatUint(uint64(sum), 10))

	pod := fromTemplate(d.Spec.Template, "ReplicaSet", d.Name+"-"+hash)
	pod.GenerateName = d.Name + "-" + hash + "-"
	metav1.SetMetaDataLabel(&pod.ObjectMeta, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	return pod
}

// podOfStatefulSet makes the first Pod, with a volume for each claim.
func podOfStatefulSet(s *appsv1.StatefulSet) *corev1.Pod {
	pod := fromTemplate(s.Spec.Template, "StatefulSet", s.Name)
	pod.Name = s.Name + "-0"
	for _, claim := range s.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: claim.Name,
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + pod.Name},
			},
		})
	}
	return pod
}

// fromTemplate makes a Pod without a name that the given owner controls.
func fromTemplate(template corev1.PodTemplateSpec, kind, owner string) *corev1.Pod {
	yes := true
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion:         appsv1.SchemeGroupVersion.String(),
		Kind:               kind,
		Name:               owner,
		UID:                uuid.NewUUID(),
		Controller:         &yes,
		BlockOwnerDeletion: &yes,
	}}
	return pod
}

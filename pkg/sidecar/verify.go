package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	evanphx "github.com/evanphx/json-patch/v5"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

/*
A patch that does not apply, or whose result does not validate, refuses the Pod
whatever the webhook's failurePolicy. So a patch is carried out in memory first,
on the Pod's JSON as it was sent and with the operations of the probes in front.
*/

// Apply carries operations out on the JSON of an object.
func Apply(object []byte, operations []jsonpatch.Operation) ([]byte, error) {
	encoded, err := json.Marshal(operations)
	if err != nil {
		return nil, fmt.Errorf("write the patch: %w", err)
	}
	decoded, err := evanphx.DecodePatch(encoded)
	if err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	patched, err := decoded.Apply(object)
	if err != nil {
		return nil, fmt.Errorf("apply the patch: %w", err)
	}
	return patched, nil
}

const (
	// maxAnnotations is the size of all annotations of an object, keys and
	// values, in bytes (TotalAnnotationSizeLimitB in
	// k8s.io/apimachinery/pkg/api/validation).
	maxAnnotations = 256 << 10
	// maxObject is the size of a Pod, as JSON, beyond which nothing is added to
	// it. etcd takes 1.5 MiB, and the form that is stored is smaller than JSON.
	maxObject = 14 << 20 / 10
)

// Verify says why the operations of an injected result, with others in front of
// them, must not be sent for a Pod; or nil.
func Verify(object []byte, operations []jsonpatch.Operation) error {
	patched, err := Apply(object, operations)
	if err != nil {
		return err
	}
	if len(patched) > maxObject {
		return fmt.Errorf("the Pod would have %d bytes", len(patched))
	}
	var pod corev1.Pod
	if err := json.NewDecoder(bytes.NewReader(patched)).Decode(&pod); err != nil {
		return fmt.Errorf("the patched Pod does not decode: %w", err)
	}
	return verifyPod(&pod)
}

// verifyPod checks what the patch is to bring about.
func verifyPod(pod *corev1.Pod) error {
	if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != ContainerName {
		return errors.New("the sidecar is not the first init container")
	}
	if pod.Labels[sidecarLabel] == "" {
		return errors.New("the Pod is not labelled " + sidecarLabel)
	}
	if size := annotationsSize(pod.Annotations); size > maxAnnotations {
		return fmt.Errorf("the annotations would have %d bytes", size)
	}
	status, found := ReadStatus(pod.Annotations)
	if !found || !status.matches(pod) {
		return errors.New("the status does not match the sidecar and the aliases")
	}
	names := map[string]bool{}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if name := list[i].Name; name == ContainerName && names[name] {
				return errors.New("there are two sidecars")
			}
			names[list[i].Name] = true
		}
	}
	return nil
}

func annotationsSize(annotations map[string]string) int {
	size := 0
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	return size
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

// statusAnnotation is where the webhook writes what it found.
const statusAnnotation = "probeshift.dev/status"

// review is the body that an API server sends for the Pod of a workload.
type review struct {
	workload
	body []byte
}

// variant is the same review of another Pod: another uid, another owner.
func (r review) variant(i int) []byte {
	hash := fmt.Appendf(nil, "%0*x", len(templateHash), i)
	body := bytes.ReplaceAll(r.body, []byte(templateHash), hash)
	copy(reviewUID(body), hash)
	return body
}

// checkAnswer holds an answer against what the workload wants of such a
// server: it decodes the answer, applies its patch and counts the probes.
func checkAnswer(k kind, r review, answer []byte) error {
	var sent, got admissionv1.AdmissionReview
	if err := json.Unmarshal(r.body, &sent); err != nil {
		return fmt.Errorf("reading the review: %w", err)
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", k.name, err)
	}
	switch {
	case got.Response == nil:
		return fmt.Errorf("%s: no response in %s", k.name, answer)
	case got.Response.UID != sent.Request.UID:
		return fmt.Errorf("%s: uid %q, want %q", k.name, got.Response.UID, sent.Request.UID)
	case !got.Response.Allowed:
		return fmt.Errorf("%s: not allowed: %s", k.name, answer)
	}
	pod, err := patched(sent.Request.Object.Raw, got.Response.Patch)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", k.name, r.name, err)
	}
	if err := checkPod(k, r.workload, pod); err != nil {
		return fmt.Errorf("%s, %s: %w", k.name, r.name, err)
	}
	return nil
}

// patched is the Pod after the patch, if there is one.
func patched(object, patch []byte) (*corev1.Pod, error) {
	if len(patch) > 0 {
		operations, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, fmt.Errorf("reading the patch: %w", err)
		}
		if object, err = operations.Apply(object); err != nil {
			return nil, fmt.Errorf("applying the patch: %w", err)
		}
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(object, pod); err != nil {
		return nil, fmt.Errorf("reading the patched Pod: %w", err)
	}
	return pod, nil
}

// checkPod counts the native probes of a Pod that a server has seen, and looks
// for the annotation.
func checkPod(k kind, w workload, pod *corev1.Pod) error {
	native := 0
	for i := range pod.Spec.Containers {
		for _, probe := range []*corev1.Probe{pod.Spec.Containers[i].ReadinessProbe, pod.Spec.Containers[i].LivenessProbe} {
			if probe.GRPC != nil && probe.Exec != nil {
				return errors.New("a probe has two handlers")
			}
			if probe.GRPC != nil {
				native++
			}
		}
	}
	want := 0
	if k.rewrites {
		want = w.native
	}
	if native != want {
		return fmt.Errorf("%d native probes, want %d", native, want)
	}
	if _, marked := pod.Annotations[statusAnnotation]; marked != (k.marks && w.ours) {
		return fmt.Errorf("annotation %s is there: %t, want %t", statusAnnotation, marked, !marked)
	}
	return nil
}

// looksRight is the quick check of every answer under load; the slow one has
// seen the first.
func looksRight(k kind, w workload, uid, answer []byte) error {
	wantPatch := (k.marks && w.ours) || (k.rewrites && w.native > 0)
	switch {
	case !bytes.Contains(answer, uid):
		return fmt.Errorf("%s, %s: another review's answer: %s", k.name, w.name, answer)
	case !bytes.Contains(answer, []byte(`"allowed":true`)):
		return fmt.Errorf("%s, %s: not allowed: %s", k.name, w.name, answer)
	case bytes.Contains(answer, []byte(`"patch":`)) != wantPatch:
		return fmt.Errorf("%s, %s: a patch is there: %t, want %t: %s", k.name, w.name, !wantPatch, wantPatch, answer)
	}
	return nil
}

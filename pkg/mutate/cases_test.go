package mutate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/cases"
)

func goldenCases(t *testing.T) []cases.Case {
	t.Helper()
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryGoldenCaseIsDecidedAsItsFolderSays(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			sent := c.Pod.DeepCopy()
			result := mutate.Mutate(c.Pod, c.Flags.Policy())
			patch, err := cases.PatchFile(result.Operations)
			if err != nil {
				t.Fatal(err)
			}
			findings, err := cases.FindingsFile(result)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Patch, patch); diff != "" {
				t.Errorf("patch.json (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.Findings, findings); diff != "" {
				t.Errorf("findings.yaml (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sent, c.Pod); diff != "" {
				t.Errorf("Mutate changed the Pod it was given:\n%s", diff)
			}
		})
	}
}

func TestThePatchOfEveryGoldenCaseKeepsItsPromises(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if problem := brokenPromise(c.JSON, c.Flags.Policy()); problem != "" {
				t.Error(problem)
			}
		})
	}
}

// brokenPromise runs a Pod through Mutate, applies the patch to its JSON, and
// says which promise of a patch is broken, if any: it applies; it changes
// nothing but handlers and timeouts of the probes it names and our annotation;
// its result is valid; the result run through again changes nothing.
func brokenPromise(sent []byte, policy mutate.Policy) string {
	sent, err := withUnknownFields(sent)
	if err != nil {
		return fmt.Sprintf("adding unknown fields: %v", err)
	}
	result, after, err := decideAndPatch(sent, policy)
	if err != nil {
		return err.Error()
	}
	before, err := withoutOurs(sent, result.Findings)
	if err != nil {
		return err.Error()
	}
	kept, err := withoutOurs(after, result.Findings)
	if err != nil {
		return err.Error()
	}
	if !reflect.DeepEqual(before, kept) { // quicker than a difference that is empty
		return "the patch changed more than it may (-sent +patched):\n" + cmp.Diff(before, kept)
	}
	if problem := invalid(after, result.Findings); problem != "" {
		return problem
	}
	return secondRun(after, policy, len(result.Operations) > 0)
}

// decideAndPatch decides about a Pod and applies the operations to its JSON.
func decideAndPatch(sent []byte, policy mutate.Policy) (mutate.Result, []byte, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(sent, &pod); err != nil {
		return mutate.Result{}, nil, fmt.Errorf("decoding the Pod: %w", err)
	}
	result := mutate.Mutate(&pod, policy)
	if len(result.Operations) == 0 {
		return result, sent, nil
	}
	operations, err := json.Marshal(result.Operations)
	if err != nil {
		return result, nil, fmt.Errorf("writing the patch: %w", err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		return result, nil, fmt.Errorf("reading the patch: %w", err)
	}
	after, err := patch.Apply(sent)
	if err != nil {
		return result, nil, fmt.Errorf("the patch does not apply: %w\n%s", err, operations)
	}
	return result, after, nil
}

// secondRun says what is wrong when the result is run through again.
func secondRun(after []byte, policy mutate.Policy, patched bool) string {
	again, _, err := decideAndPatch(after, policy)
	if err != nil {
		return fmt.Sprintf("the second time: %v", err)
	}
	if len(again.Operations) > 0 {
		return fmt.Sprintf("the result run through again is changed again: %v", again.Operations)
	}
	for _, f := range again.Findings {
		if patched && !f.Known {
			return fmt.Sprintf("the result run through again tells news: %+v", f)
		}
	}
	return ""
}

// invalid says what an API server would refuse in a patched Pod, as far as the
// patch is to blame.
func invalid(after []byte, findings []mutate.Finding) string {
	var pod corev1.Pod
	if err := json.Unmarshal(after, &pod); err != nil {
		return fmt.Sprintf("the patched Pod does not decode: %v", err)
	}
	size := 0
	for key, value := range pod.Annotations {
		size += len(key) + len(value)
	}
	if size > 256<<10 {
		return fmt.Sprintf("the annotations hold %d bytes", size)
	}
	for _, f := range findings {
		if f.Known || f.Outcome != mutate.Rewritten && f.Outcome != mutate.Restored {
			continue
		}
		probe := probeOf(&pod, f)
		one := (probe.GRPC != nil) != (probe.Exec != nil) && probe.HTTPGet == nil && probe.TCPSocket == nil
		if !one || probe.GRPC != nil && (probe.GRPC.Port < 1 || probe.GRPC.Port > 65535 || probe.GRPC.Service == nil) {
			return fmt.Sprintf("the probe of %s is not valid: %+v", f.Container, probe.ProbeHandler)
		}
	}
	return ""
}

// probeOf returns the probe that a finding is about.
func probeOf(pod *corev1.Pod, f mutate.Finding) corev1.Probe {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			probe := map[mutate.ProbeKind]*corev1.Probe{
				mutate.Liveness: c.LivenessProbe, mutate.Readiness: c.ReadinessProbe, mutate.Startup: c.StartupProbe,
			}[f.Probe]
			if c.Name == f.Container && probe != nil {
				return *probe
			}
		}
	}
	return corev1.Probe{}
}

// object is a decoded JSON object.
type object = map[string]any

// decodeObject keeps numbers as they are written.
func decodeObject(text []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var o object
	if err := decoder.Decode(&o); err != nil {
		return nil, fmt.Errorf("decoding a Pod: %w", err)
	}
	return o, nil
}

// withUnknownFields adds a field that no release knows to every object of a
// Pod, with numbers that no float64 holds.
func withUnknownFields(text []byte) ([]byte, error) {
	pod, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	addUnknown(pod, "")
	return json.Marshal(pod)
}

func addUnknown(value any, name string) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			addUnknown(item, name)
		}
	case object:
		for key, member := range value {
			addUnknown(member, key)
		}
		switch name {
		case "annotations", "labels", "requests", "limits": // their values are of one type
			return
		}
		value["futureField"] = object{"number": json.Number("123456789012345678901234567890.10"), "list": []any{nil, "<&>", object{}}}
	}
}

// withoutOurs is a Pod without what we may change in it: the handlers and
// timeouts of the probes found, and our annotation.
func withoutOurs(text []byte, findings []mutate.Finding) (object, error) {
	pod, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	metadata, spec := member(pod, "metadata"), member(pod, "spec")
	if annotations, ok := metadata["annotations"].(object); ok {
		delete(annotations, mutate.StatusAnnotation)
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	for _, list := range []string{"containers", "initContainers"} {
		items, _ := spec[list].([]any)
		for _, item := range items {
			if container, ok := item.(object); ok {
				stripContainer(container, findings)
			}
		}
	}
	return pod, nil
}

// member is an object within another, empty if it is not there.
func member(o object, name string) object {
	m, _ := o[name].(object)
	return m
}

func stripContainer(container object, findings []mutate.Finding) {
	for _, f := range findings {
		probe, ok := container[string(f.Probe)+"Probe"].(object)
		changed := f.Outcome == mutate.Rewritten || f.Outcome == mutate.Restored
		if ok && changed && !f.Known && container["name"] == f.Container {
			delete(probe, "exec")
			delete(probe, "grpc")
			delete(probe, "timeoutSeconds")
		}
	}
}

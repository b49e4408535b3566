package mutate

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// Others that are called again after us may write an exec handler into a probe
// that is native by now. The API server refuses a probe with two handlers, so
// the Pod would be refused because of us.
func TestAnExecHandlerBesideOursRefusesNoPod(t *testing.T) {
	native := &corev1.GRPCAction{Port: 9000, Service: new(string)}
	for sentence, c := range map[string]struct {
		command []string
		timeout int32
		want    corev1.Probe
		reason  reason.Code
	}{
		"the same command is native again": {
			command: []string{"grpc_health_probe", "-addr=:9000"}, timeout: 2,
			want: corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: native}, TimeoutSeconds: 2},
		},
		"another command is read anew": {
			command: []string{"grpc_health_probe", "-addr=:9000", "-rpc-timeout=3s"}, timeout: 2,
			want: corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: native}, TimeoutSeconds: 4},
		},
		"a timeout that was written with it counts": {
			command: []string{"grpc_health_probe", "-addr=:9000", "-rpc-timeout=3s"}, timeout: 3,
			want: corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: native}, TimeoutSeconds: 3},
		},
		"a command that cannot be native stays, with the old timeout": {
			command: []string{"grpc_health_probe", "-addr=:9000", "-gzip"}, timeout: 2, reason: reason.Gzip,
			want: *execProbe(5, "grpc_health_probe", "-addr=:9000", "-gzip"),
		},
		"a command of something else stays": {
			command: []string{"cat", "/healthy"}, timeout: 2, reason: reason.InvalidProbe,
			want: *execProbe(5, "cat", "/healthy"),
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			pod := patchedBy(t, ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj(), Policy{})
			probe := pod.Spec.Containers[0].LivenessProbe
			probe.Exec, probe.TimeoutSeconds = &corev1.ExecAction{Command: c.command}, c.timeout
			if result := Mutate(pod, Policy{}); len(result.Findings) != 1 || result.Findings[0].Reason != c.reason {
				t.Errorf("findings: %+v", result.Findings)
			}
			after := patchedBy(t, pod, Policy{})
			if diff := cmp.Diff(c.want, *after.Spec.Containers[0].LivenessProbe); diff != "" {
				t.Errorf("probe (-want +got):\n%s", diff)
			}
			if again := Mutate(after, Policy{}); len(again.Operations) > 0 {
				t.Errorf("called again: %v", again.Operations)
			}
		})
	}
}

// patchedBy is a Pod with the patch of a decision applied.
func patchedBy(t *testing.T, pod *corev1.Pod, policy Policy) *corev1.Pod {
	t.Helper()
	before, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(Mutate(pod, policy).Operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatal(err)
	}
	var result corev1.Pod
	if err := json.Unmarshal(after, &result); err != nil {
		t.Fatal(err)
	}
	return &result
}

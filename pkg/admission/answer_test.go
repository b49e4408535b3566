package admission

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

func TestAnswerForms(t *testing.T) {
	jsonPatch := admissionv1.PatchTypeJSONPatch
	tests := map[string]struct {
		verdict verdict
		want    admissionv1.AdmissionResponse
	}{
		"nothing to say: neither patch nor patchType": {
			verdict{uid: "u"},
			admissionv1.AdmissionResponse{UID: "u", Allowed: true},
		},
		"a patch has its type": {
			verdict{uid: "u", patch: []byte(`[{"op":"remove","path":"/a"}]`)},
			admissionv1.AdmissionResponse{UID: "u", Allowed: true, PatchType: &jsonPatch, Patch: []byte(`[{"op":"remove","path":"/a"}]`)},
		},
		"everything at once": {
			verdict{uid: "u", patch: []byte(`[]`), warnings: []string{"a", `"quoted" \ <b>`},
				annotations: []annotation{{"rewritten", "a/liveness, b/liveness"}, {"skipped", "c/startup=tls"}}},
			admissionv1.AdmissionResponse{UID: "u", Allowed: true, PatchType: &jsonPatch, Patch: []byte(`[]`),
				Warnings:         []string{"a", `"quoted" \ <b>`},
				AuditAnnotations: map[string]string{"rewritten": "a/liveness, b/liveness", "skipped": "c/startup=tls"}},
		},
		"a uid that needs quoting": {
			verdict{uid: "\"\n\u2028é"},
			admissionv1.AdmissionResponse{UID: "\"\n\u2028é", Allowed: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got admissionv1.AdmissionReview
			if err := json.Unmarshal(appendAnswer(nil, test.verdict), &got); err != nil {
				t.Fatal(err)
			}
			want := admissionv1.AdmissionReview{
				TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"},
				Response: &test.want,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRewrittenPod(t *testing.T) {
	f := newFixture()
	response := answerOf(t, f.post(reviewOf(legacyPod)))
	patch, err := jsonpatch.DecodePatch(response.Patch)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := patch.Apply([]byte(legacyPod))
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := json.Unmarshal(changed, &pod); err != nil {
		t.Fatal(err)
	}
	service := ""
	want := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000, Service: &service}}}
	if diff := cmp.Diff(want, pod.Spec.Containers[0].ReadinessProbe); diff != "" {
		t.Errorf("readiness probe (-want +got):\n%s", diff)
	}
	response.Patch, response.PatchType = nil, nil
	told := &admissionv1.AdmissionResponse{
		UID: testUID, Allowed: true,
		Warnings:         []string{"probeshift: app liveness probe left as exec: port-not-declared (port 9001)"},
		AuditAnnotations: map[string]string{"rewritten": "app/readiness", "skipped": "app/liveness=port-not-declared"},
	}
	if diff := cmp.Diff(told, response); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestAuditPathNeverPatches(t *testing.T) {
	f := newFixture(func(c *Config) { c.Path, c.Policy.Audit = AuditPath, true })
	want := &admissionv1.AdmissionResponse{
		UID: testUID, Allowed: true,
		Warnings: []string{
			"probeshift: app liveness probe left as exec: port-not-declared (port 9001)",
			"probeshift: app readiness probe would become grpc",
		},
		AuditAnnotations: map[string]string{"would-rewrite": "app/readiness", "skipped": "app/liveness=port-not-declared"},
	}
	if diff := cmp.Diff(want, answerOf(t, f.post(reviewOf(legacyPod)))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got := f.counted(unchanged); got != 1 {
		t.Errorf("unchanged counted %v times", got)
	}
}

func TestTLSProbesAreAskedForEachRequest(t *testing.T) {
	var seen []bool
	on := false
	f := newFixture(deciding(func(_ *corev1.Pod, policy mutate.Policy) mutate.Result {
		seen = append(seen, policy.TLSProbes)
		return mutate.Result{}
	}), func(c *Config) {
		c.Policy.TLSProbes = true
		c.TLSProbes = func() bool { return on }
	})
	f.post(reviewOf(legacyPod))
	on = true
	f.post(reviewOf(legacyPod))
	if diff := cmp.Diff([]bool{false, true}, seen); diff != "" {
		t.Errorf("TLS probes (-want +got):\n%s", diff)
	}
}

package envtest

import (
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/test/cases"
)

func TestGoldenCasesThroughTheHTTPHandler(t *testing.T) {
	for _, c := range golden(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			answer, decision := ask(t, c.JSON, c.Flags.Policy())
			var want any = []any{}
			decode(t, []byte(c.Patch), &want)
			if diff := cmp.Diff(want, operationsOf(t, answer.Patch)); diff != "" {
				t.Errorf("patch.json (-want +answered):\n%s", diff)
			}
			findings, err := cases.FindingsFile(decision)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Findings, findings); diff != "" {
				t.Errorf("findings.yaml (-want +decided):\n%s", diff)
			}
			if patched := answer.PatchType != nil; patched != (answer.Patch != nil) {
				t.Errorf("patchType without patch, or the other way round")
			}
		})
	}
}

// throughTheAPIServer creates the Pod of a case and compares what is stored and
// warned of with what the pure function and the handler say about the Pod that
// the API server sent.
func throughTheAPIServer(s scene, c cases.Case) {
	t, w := s.t, s.world
	namespace := w.namespaceOf(t, c)
	sent := w.defaulted(t, c.Pod)
	text := encode(t, sent)
	pure := mutate.Mutate(sent, c.Flags.Policy())
	if diff := cmp.Diff(withDefaultTimeouts(t, c.Findings), cases.NewReport(pure)); diff != "" {
		t.Errorf("the pure function on the Pod as it is sent (-findings.yaml +got):\n%s", diff)
	}
	answer, _ := ask(t, text, c.Flags.Policy())
	var operations any = []any{}
	if len(pure.Operations) > 0 {
		decode(t, encode(t, pure.Operations), &operations)
	}
	if diff := cmp.Diff(operations, operationsOf(t, answer.Patch)); diff != "" {
		t.Errorf("the handler's patch for the Pod as it is sent (-pure +handler):\n%s", diff)
	}
	want := sent
	if answer.Patch != nil {
		want = patched(t, text, answer.Patch)
	}

	stored, heard := w.create(t, namespace, c.Pod, metav1.CreateOptions{})
	if diff := cmp.Diff(essence(want), essence(stored)); diff != "" {
		t.Errorf("the stored Pod (-handler's patch applied +stored):\n%s", diff)
	}
	if diff := cmp.Diff(answer.Warnings, heard); diff != "" {
		t.Errorf("warnings (-handler +heard):\n%s", diff)
	}
}

// refusedByItself proves that the API server itself refuses the Pod of a case,
// with the webhook as without it.
func refusedByItself(s scene, c cases.Case) {
	t, w := s.t, s.world
	for _, namespace := range []string{w.namespaceOf(t, c), w.fresh(t, "")} {
		_, err := w.client.CoreV1().Pods(namespace).Create(t.Context(), c.Pod, metav1.CreateOptions{})
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "may not specify more than 1 handler type") {
			t.Errorf("the API server says: %v", err)
		}
	}
}

// isRefused says whether the API server refuses the Pod of a case.
func isRefused(c cases.Case) bool {
	return strings.Contains(c.Findings, "reason: "+string(reason.InvalidProbe))
}

// essence is what a Pod asks for; the rest differs between two Pods anyway.
func essence(pod *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Labels: pod.Labels, Annotations: pod.Annotations, OwnerReferences: pod.OwnerReferences,
		},
		Spec: pod.Spec,
	}
}

// withDefaultTimeouts is the report of a findings.yaml once the API server has
// set timeoutSeconds to 1 where its author had not.
func withDefaultTimeouts(t *testing.T, findings string) cases.Report {
	t.Helper()
	var report cases.Report
	if err := yaml.UnmarshalStrict([]byte(findings), &report); err != nil {
		t.Fatal(err)
	}
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.TimeoutSeconds == 0 {
			f.TimeoutSeconds = 1
			if f.GRPC != nil {
				f.NewTimeoutSeconds = 1
			}
		}
	}
	return report
}

// patched is a Pod with a patch applied.
func patched(t *testing.T, pod, patch []byte) *corev1.Pod {
	t.Helper()
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	after, err := operations.Apply(pod)
	if err != nil {
		t.Fatal(err)
	}
	var result corev1.Pod
	decode(t, after, &result)
	return &result
}

// operationsOf decodes a patch; none is an empty list.
func operationsOf(t *testing.T, patch []byte) any {
	t.Helper()
	var operations any = []any{}
	if patch != nil {
		decode(t, patch, &operations)
	}
	return operations
}

func golden(t *testing.T) []cases.Case {
	t.Helper()
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, text []byte, value any) {
	t.Helper()
	if err := json.Unmarshal(text, value); err != nil {
		t.Fatal(err)
	}
}

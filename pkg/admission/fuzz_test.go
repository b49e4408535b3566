package admission

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	evanphx "github.com/evanphx/json-patch/v5"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// fuzzPods are Pods that exercise what a decision looks at.
var fuzzPods = []string{
	legacyPod, plainPod, secretPod, `null`, `{}`,
	`{"metadata":{},"spec":{"hostNetwork":true,"hostname":"h","subdomain":"s","hostnameOverride":"o","setHostnameAsFQDN":true,` +
		`"hostAliases":[{"ip":"10.0.0.1","hostnames":["h"]}],"containers":[{"name":"a","env":[{"name":"P","value":"1"},` +
		`{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},{"name":"R","valueFrom":{"resourceFieldRef":{"resource":"cpu","divisor":"1m"}}},` +
		`{"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"k","optional":true}}}],` +
		`"startupProbe":{"exec":{"command":["grpc_health_probe","-addr=$(IP):80"]},"timeoutSeconds":5,"periodSeconds":3}}]}}`,
	`{"metadata":{"annotations":{"probeshift.dev/ports":"any","probeshift.dev/mesh":"ignore"},"labels":{"a":"b"}},"spec":{"initContainers":[` +
		`{"name":"side","restartPolicy":"Always","ports":[{"containerPort":9000,"name":"grpc","protocol":"TCP","hostPort":1}],` +
		`"readinessProbe":{"exec":{"command":["sh","-c","exec grpc_health_probe -addr=localhost:9000 || exit 1"]}}}],"containers":null}}`,
	`{"metadata":{"annotations":null,"ownerReferences":[{"controller":true}]},"spec":{"containers":[{"name":"a","env":null,"ports":null,` +
		`"livenessProbe":{"exec":{"command":null},"httpGet":{"port":"x"},"grpc":{"port":1,"service":null},"tcpSocket":{"port":5}}},null]}}`,
	`{"metadata":{"annotations":{"probeshift.dev/status":"{\"probes\":{\"a\":{\"liveness\":{\"outcome\":\"rewritten\",\"exec\":[\"grpc_health_probe\",\"-addr=:1\"],` +
		`\"grpc\":{\"port\":1,\"service\":\"\"}}}}}"}},"spec":{"containers":[{"name":"linkerd-proxy"},{"name":"a","livenessProbe":{"grpc":{"port":1,"service":""}}}]}}`,
}

// typed is the plain way: the whole Pod into its own type.
func typed(object []byte) (*corev1.Pod, bool) {
	var pod corev1.Pod
	err := kjson.UnmarshalCaseSensitivePreserveInts(object, &pod)
	return &pod, err == nil
}

// narrowed leaves of a whole Pod what pod.go names.
func narrowed(whole *corev1.Pod) *corev1.Pod {
	pick := func(containers []corev1.Container) []corev1.Container {
		if containers == nil {
			return nil
		}
		list := []corev1.Container{}
		for _, c := range containers {
			list = append(list, corev1.Container{
				Name: c.Name, Env: c.Env, Ports: c.Ports, RestartPolicy: c.RestartPolicy,
				LivenessProbe: c.LivenessProbe, ReadinessProbe: c.ReadinessProbe, StartupProbe: c.StartupProbe,
			})
		}
		return list
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: whole.Name, GenerateName: whole.GenerateName, Namespace: whole.Namespace, Labels: whole.Labels,
			Annotations: whole.Annotations, OwnerReferences: whole.OwnerReferences,
		},
		Spec: corev1.PodSpec{
			HostNetwork: whole.Spec.HostNetwork, Hostname: whole.Spec.Hostname, Subdomain: whole.Spec.Subdomain,
			HostnameOverride: whole.Spec.HostnameOverride, SetHostnameAsFQDN: whole.Spec.SetHostnameAsFQDN,
			HostAliases:    whole.Spec.HostAliases,
			InitContainers: pick(whole.Spec.InitContainers), Containers: pick(whole.Spec.Containers),
		},
	}
}

// FuzzDecode holds the narrow decoding of a Pod against the plain typed one:
// whatever the latter reads, the former reads alike, and the decision on it is
// the same.
func FuzzDecode(f *testing.F) {
	for _, pod := range fuzzPods {
		f.Add([]byte(pod))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		whole, ok := typed(object)
		if !ok || !jsontext.Value(object).IsValid() {
			return
		}
		request, err := decode[*pod]([]byte(reviewOf(string(object))))
		if err != nil {
			t.Fatalf("the typed Pod is read, the narrow one is not: %v", err)
		}
		p := request.Object
		if p == nil || p.Metadata == nil || p.Spec == nil {
			return
		}
		got := p.core()
		if diff := cmp.Diff(narrowed(whole), got); diff != "" {
			t.Fatalf("Pod (-typed +narrow):\n%s", diff)
		}
		if diff := cmp.Diff(mutate.Mutate(whole, mutate.Policy{}), mutate.Mutate(got, mutate.Policy{})); diff != "" {
			t.Fatalf("decision (-typed +narrow):\n%s", diff)
		}
	})
}

// FuzzHandler sends anything to the handler: it answers with HTTP 200 and the
// right uid or with HTTP 400; its patch applies and leaves a Pod; and where
// the plain typed way can read the review, the operations are those it
// decides on.
func FuzzHandler(f *testing.F) {
	for _, pod := range fuzzPods {
		f.Add([]byte(reviewOf(pod)))
		f.Add([]byte(reviewOf(strings.ReplaceAll(pod, "grpc_health_probe", `grpc_he\u0061lth_probe`))))
	}
	f.Add([]byte(reviewOf(legacyPod)[:500]))
	f.Add([]byte(reviewOf(legacyPod, `"CREATE"`, `"UPDATE"`)))
	f.Add([]byte(reviewOf(legacyPod, `"namespace"`, `"uid":"x","namespace"`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		fixture := newFixture()
		recorder := fixture.post(string(body))
		if got := fixture.counted(internalError); got != 0 {
			t.Fatalf("internal error: %s", fixture.log)
		}
		if recorder.Code == http.StatusBadRequest {
			return
		}
		response := answerOf(t, recorder)
		if !response.Allowed || response.UID == "" {
			t.Fatalf("answer: %+v", response)
		}
		checkWarnings(t, response.Warnings)
		var review admissionv1.AdmissionReview
		if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil || !jsontext.Value(body).IsValid() {
			if len(response.Patch) > 0 && err == nil {
				t.Fatalf("patch for a review that is not valid JSON")
			}
			return
		}
		if response.UID != review.Request.UID {
			t.Fatalf("uid %q, want %q", response.UID, review.Request.UID)
		}
		checkPatch(t, response.Patch, review.Request, fixture.counted(refusedInput) > 0)
	})
}

// checkPatch holds a patch against the decision on the typed Pod.
func checkPatch(t *testing.T, patch []byte, request *admissionv1.AdmissionRequest, refused bool) {
	t.Helper()
	whole, ok := typed(request.Object.Raw)
	if ok && !refused {
		if _, mirror := whole.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
			want := mutate.Mutate(whole, mutate.Policy{}).Operations
			if diff := cmp.Diff(marshalled(t, want), generic(t, patch)); diff != "" {
				t.Fatalf("operations (-typed +handler):\n%s", diff)
			}
		}
	}
	if len(patch) == 0 {
		return
	}
	decoded, err := evanphx.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := decoded.Apply(request.Object.Raw)
	if err != nil {
		t.Fatalf("the patch does not apply: %v", err)
	}
	if _, after := typed(changed); ok && !after {
		t.Fatalf("the result is no Pod: %s", changed)
	}
}

// marshalled encodes operations as their own type does.
func marshalled(t *testing.T, operations []jsonpatch.Operation) any {
	t.Helper()
	if len(operations) == 0 {
		return nil
	}
	list := make([]json.RawMessage, 0, len(operations))
	for _, operation := range operations {
		encoded, err := json.Marshal(&operation)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, encoded)
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return generic(t, encoded)
}

func generic(t *testing.T, text []byte) any {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func checkWarnings(t *testing.T, list []string) {
	t.Helper()
	if len(list) > maxWarnings {
		t.Fatalf("%d warnings", len(list))
	}
	for _, warning := range list {
		if warning != oneLine(warning, maxWarning) {
			t.Fatalf("warning %q", warning)
		}
	}
}

package envtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// ask sends a Pod through the HTTP handler and returns its answer and the
// decision behind it, which is the zero one when none was needed.
func ask(t *testing.T, pod []byte, policy mutate.Policy) (answer *admissionv1.AdmissionResponse, decision mutate.Result) {
	t.Helper()
	handler := admission.NewHandler(admission.Config{
		Path:   admission.MutatePath,
		Policy: policy,
		Decide: func(pod *corev1.Pod, policy mutate.Policy) mutate.Result {
			decision = mutate.Mutate(pod, policy)
			return decision
		},
		Metrics: admission.NewMetrics(prometheus.NewRegistry()),
		Limit:   admission.NewLimit(admission.DefaultConcurrent, admission.DefaultWait),
		Log:     logr.Discard(),
		Now:     time.Now,
	})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, admission.MutatePath, bytes.NewReader(review(t, pod)))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	var answered admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answered); err != nil || answered.Response == nil {
		t.Fatalf("HTTP %d, no answer (%v): %s", recorder.Code, err, recorder.Body)
	}
	if r := answered.Response; !r.Allowed || r.UID != reviewUID {
		t.Errorf("allowed %v, uid %s", r.Allowed, r.UID)
	}
	return answered.Response, decision
}

const reviewUID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// review is what an API server sends when a Pod is created.
func review(t *testing.T, pod []byte) []byte {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       reviewUID,
			Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Namespace: metav1.NamespaceDefault,
			Operation: admissionv1.Create,
			Object:    runtime.RawExtension{Raw: pod},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

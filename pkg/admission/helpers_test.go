package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

const testUID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// legacyPod has one probe that is rewritten and one that is not.
const legacyPod = `{
	"metadata": {"generateName": "shop-6f9-", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-6f9", "uid": "u", "controller": true}]},
	"spec": {"containers": [{
		"name": "app",
		"ports": [{"containerPort": 9000}],
		"readinessProbe": {"exec": {"command": ["/bin/grpc_health_probe", "-addr=:9000"]}},
		"livenessProbe": {"exec": {"command": ["/bin/grpc_health_probe", "-addr=:9001"]}}
	}]}
}`

// plainPod does not concern us.
const plainPod = `{"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"path": "/healthz", "port": 80}}}]}}`

// reviewOf returns a review that creates a Pod. Each edit replaces one text
// by another.
func reviewOf(object string, edits ...string) string {
	review := fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":%q,`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},`+
		`"requestKind":{"group":"","version":"v1","kind":"Pod"},"requestResource":{"group":"","version":"v1","resource":"pods"},`+
		`"namespace":"shop","operation":"CREATE","userInfo":{"username":"system:serviceaccount:kube-system:replicaset-controller"},`+
		`"object":%s,"oldObject":null,"dryRun":false,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}`, testUID, object)
	return strings.NewReplacer(edits...).Replace(review)
}

// fixture is a handler with what it tells.
type fixture struct {
	*Handler
	registry *prometheus.Registry
	log      *bytes.Buffer
}

// newFixture returns a handler of the mutating path that decides as the
// product does, after the edits.
func newFixture(edits ...func(*Config)) fixture {
	f := fixture{registry: prometheus.NewRegistry(), log: new(bytes.Buffer)}
	config := Config{
		Path:    MutatePath,
		Decide:  mutate.Mutate,
		Metrics: NewMetrics(f.registry),
		Limit:   NewLimit(DefaultConcurrent, DefaultWait),
		// A busy machine must not turn a long body into one that breaks off.
		ReadTimeout: time.Minute,
		Log:         jsonLogger(f.log),
		Now:         time.Now,
	}
	for _, edit := range edits {
		edit(&config)
	}
	f.Handler = NewHandler(config)
	return f
}

// deciding replaces the decision.
func deciding(decide func(*corev1.Pod, mutate.Policy) mutate.Result) func(*Config) {
	return func(c *Config) { c.Decide = decide }
}

// found makes every decision the same.
func found(result mutate.Result) func(*Config) {
	return deciding(func(*corev1.Pod, mutate.Policy) mutate.Result { return result })
}

// post sends a body as the API server does.
func (f fixture) post(body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, f.Path+"?timeout=2s", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, request)
	return recorder
}

// counted returns the value of a series of the requests metric.
func (f fixture) counted(r result) float64 {
	return testutil.ToFloat64(f.Metrics.requests.WithLabelValues(f.Path, string(r)))
}

// answerOf reads an answer as the API server does.
func answerOf(t testing.TB, recorder *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	if recorder.Code != http.StatusOK {
		t.Fatalf("HTTP status %d: %s", recorder.Code, recorder.Body)
	}
	var review admissionv1.AdmissionReview
	decoder := json.NewDecoder(bytes.NewReader(recorder.Body.Bytes()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("answer %s: %v", recorder.Body, err)
	}
	if got := review.GroupVersionKind().String(); got != "admission.k8s.io/v1, Kind=AdmissionReview" || review.Response == nil {
		t.Fatalf("answer is %s with response %v", got, review.Response)
	}
	return review.Response
}

func jsonLogger(w *bytes.Buffer) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(w, nil))
}

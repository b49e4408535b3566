package admission

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// Bad input with a uid is let through with a warning, a metric and a log line.
func TestBadInputWithUIDIsAllowed(t *testing.T) {
	tests := map[string]struct{ body, warning string }{
		"a review that ends in the middle": {
			reviewOf(legacyPod)[:400], "body ends in the middle of a value"},
		"a review with text behind it": {
			reviewOf(legacyPod) + "x", "not valid JSON at byte 997"},
		"another kind": {
			reviewOf(legacyPod, `"AdmissionReview"`, `"TokenReview"`), `review is "TokenReview" of "admission.k8s.io/v1", not AdmissionReview v1`},
		"another version": {
			reviewOf(legacyPod, `admission.k8s.io/v1"`, `admission.k8s.io/v1beta1"`), `review is "AdmissionReview" of "admission.k8s.io/v1beta1", not AdmissionReview v1`},
		"no kind at all": {
			`{"request":{"uid":"` + testUID + `"}}`, `review is "" of "", not AdmissionReview v1`},
		"another resource": {
			reviewOf(legacyPod, `"resource":"pods"`, `"resource":"services"`), "review is for services (Pod), not v1 pods"},
		"another kind of object": {
			reviewOf(legacyPod, `"kind":"Pod"`, `"kind":"Binding"`), "review is for pods (Binding), not v1 pods"},
		"a subresource": {
			reviewOf(legacyPod, `"namespace"`, `"subResource":"ephemeralcontainers","namespace"`), "review is for the subresource ephemeralcontainers of pods"},
		"an update": {
			reviewOf(legacyPod, `"CREATE"`, `"UPDATE"`), "review is for UPDATE, not CREATE"},
		"an object of null": {
			reviewOf(`null`), "request.object is null"},
		"an object of null that mentions the tool": {
			reviewOf(`null`, "shop", "grpc_health_probe"), "request.object is null"},
		"an object that is absent": {
			reviewOf(`null`, `"object"`, `"other"`), "request.object is null"},
		"an object without metadata": {
			reviewOf(`{"spec":{"containers":[{"name":"grpc_health_probe"}]}}`), "request.object has no metadata or no spec"},
		"an object without a spec": {
			reviewOf(`{"metadata":{"name":"grpc_health_probe"}}`), "request.object has no metadata or no spec"},
		"an object whose spec is null": {
			reviewOf(`{"metadata":{"name":"grpc_health_probe"},"spec":null}`), "request.object has no metadata or no spec"},
		"an object that is a list": {
			reviewOf(`["grpc_health_probe"]`), "value of the wrong type at /request/object"},
		"a port that is a word": {
			reviewOf(legacyPod, `9000}`, `"hunter2"}`), "value of the wrong type at ...ec/containers/0/ports/0/containerPort"},
		"a duplicate name in the object": {
			reviewOf(legacyPod, `"name": "app"`, `"name":"app","name":"app"`), "duplicate name at /request/object/spec/containers/0/name"},
		"a duplicate name in the object of a Pod that is not ours": {
			reviewOf(plainPod, `"name": "app"`, `"name":"app","name":"app"`), "duplicate name at /request/object/spec/containers/0/name"},
		"a duplicate uid": {
			reviewOf(legacyPod, `"namespace"`, `"uid":"other","namespace"`), "duplicate name at /request/uid"},
		"invalid UTF-8": {
			reviewOf(legacyPod, `"name": "app"`, "\"name\": \"\xff\""), "not valid JSON at byte 678"},
		"invalid UTF-8 in a Pod that is not ours": {
			reviewOf(plainPod, `"name": "app"`, "\"name\": \"\xff\""), "not valid JSON at byte 536"},
		"an object nested to great depth": {
			reviewOf(strings.Repeat(`{"a":`, 1<<20)), "not valid JSON at byte 50462"},
		"a list nested to great depth in a Pod that is ours": {
			reviewOf(legacyPod, `"containers"`, `"x":`+strings.Repeat(`[`, 1<<20)+strings.Repeat(`]`, 1<<20)+`,"containers"`), "not valid JSON at byte 10650"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			want := &admissionv1.AdmissionResponse{
				UID: testUID, Allowed: true, Warnings: []string{"probeshift: Pod not examined: " + test.warning},
			}
			if diff := cmp.Diff(want, answerOf(t, f.post(test.body))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if got := f.counted(refusedInput); got != 1 {
				t.Errorf("refused-input counted %v times", got)
			}
			if !strings.Contains(f.log.String(), `"uid":"`+testUID) || strings.Contains(f.log.String(), "hunter2") {
				t.Errorf("log: %s", f.log)
			}
		})
	}
}

// Bad input without a uid is HTTP 400 with a text, a metric and a log line.
func TestBadInputWithoutUIDIsRefused(t *testing.T) {
	tests := map[string]struct{ body, text string }{
		"nothing":                         {``, "no request.uid found: body ends in the middle of a value"},
		"text":                            {`hello`, "no request.uid found: not valid JSON at byte 0"},
		"a list":                          {`[]`, "no request.uid found: review is no JSON object"},
		"null":                            {`null`, `no request.uid found: review is "" of "", not AdmissionReview v1`},
		"a review that ends before it":    {`{"kind":"AdmissionReview","request":{"ui`, "no request.uid found: body ends in the middle of a value"},
		"a uid that ends in the middle":   {`{"request":{"uid":"705ab4f5`, "no request.uid found: body ends in the middle of a value"},
		"a uid that is empty":             {reviewOf(plainPod, testUID, ""), "no request.uid found: request.uid is empty"},
		"a uid that is a number":          {`{"request":{"uid":7}}`, "no request.uid found: value of the wrong type at /request/uid"},
		"a uid outside of the request":    {`{"uid":"` + testUID + `"}`, `no request.uid found: review is "" of "", not AdmissionReview v1`},
		"a uid in the object":             {`{"request":{"object":{"uid":"` + testUID + `"}}}`, `no request.uid found: review is "" of "", not AdmissionReview v1`},
		"nothing but nesting":             {strings.Repeat(`[`, 1<<20), "no request.uid found: review is no JSON object"},
		"a request that is no object":     {`{"request":["uid"]}`, "no request.uid found: value of the wrong type at /request"},
		"a uid of a Pod that mentions us": {reviewOf(legacyPod, testUID, ""), "no request.uid found: request.uid is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			recorder := f.post(test.body)
			if recorder.Code != http.StatusBadRequest {
				t.Errorf("HTTP status %d", recorder.Code)
			}
			if diff := cmp.Diff(test.text+"\n", recorder.Body.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if got := f.counted(badRequest); got != 1 {
				t.Errorf("bad-request counted %v times", got)
			}
			if !strings.Contains(f.log.String(), "request refused") {
				t.Errorf("log: %s", f.log)
			}
		})
	}
}

// Odd input that can be read is decided like any other.
func TestOddInputIsDecided(t *testing.T) {
	many := strings.Repeat(`{"name":"c","livenessProbe":{"exec":{"command":["grpc_health_probe","-addr=:1"]}}},`, 1999)
	tests := map[string]struct {
		object string
		result result
	}{
		"unknown fields":             {strings.Replace(legacyPod, `"spec": {`, `"status":{"x":1},"spec":{"notYetInvented":{"a":[1]},`, 1), patched},
		"2,000 containers":           {`{"metadata":{"name":"many"},"spec":{"containers":[` + many + `{"name":"last"}]}}`, patched},
		"a command line of 1 MB":     {strings.Replace(legacyPod, `"-addr=:9001"`, `"-addr=:9001","`+strings.Repeat("x", 1<<20)+`"`, 1), patched},
		"hostile shell text":         {strings.Replace(legacyPod, `"/bin/grpc_health_probe", "-addr=:9001"`, `"sh","-c","`+strings.Repeat(`$(( `, 20000)+` grpc_health_probe"`, 1), patched},
		"an escaped name":            {strings.ReplaceAll(legacyPod, "grpc_health_probe", `\u0067rpc_health_probe`), patched},
		"an escape and nothing more": {strings.Replace(plainPod, "web", `w\u0065b`, 1), nothingToDo},
		"a mirror Pod":               {strings.Replace(legacyPod, `"metadata": {`, `"metadata": {"annotations":{"kubernetes.io/config.mirror":"x"},`, 1), nothingToDo},
		"a Pod that is not ours":     {plainPod, nothingToDo},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			response := answerOf(t, f.post(reviewOf(test.object)))
			if response.UID != testUID || !response.Allowed {
				t.Errorf("answer: %+v", response)
			}
			if got := f.counted(test.result); got != 1 {
				t.Errorf("%s counted %v times; log: %s", test.result, got, f.log)
			}
			if got, want := len(response.Patch) > 0, test.result == patched; got != want {
				t.Errorf("patch sent: %v, want %v", got, want)
			}
		})
	}
}

func TestOversizedBody(t *testing.T) {
	f := newFixture()
	server := httptest.NewServer(f)
	defer server.Close()
	padding := strings.Repeat(" ", maxBody)

	t.Run("is allowed by the uid in the part that is read, and closes the connection", func(t *testing.T) {
		status, body, closed := send(t, server, reviewOf(legacyPod)+padding)
		if status != http.StatusOK || !strings.Contains(body, `"uid":"`+testUID+`","allowed":true`) || !closed {
			t.Errorf("status %d, closed %v: %s", status, closed, body)
		}
		if !strings.Contains(body, "body is longer than 7 MiB") {
			t.Errorf("no warning: %s", body)
		}
	})
	t.Run("is refused when the uid lies beyond it", func(t *testing.T) {
		status, body, closed := send(t, server, padding+reviewOf(legacyPod))
		if status != http.StatusBadRequest || body != "no request.uid found: body is longer than 7 MiB\n" || !closed {
			t.Errorf("status %d, closed %v: %s", status, closed, body)
		}
	})
	t.Run("of just the limit is decided, and too large for a status", func(t *testing.T) {
		review := reviewOf(legacyPod)
		status, body, closed := send(t, server, review+padding[len(review):])
		if status != http.StatusOK || !strings.Contains(body, "left as exec: status-too-large") || closed {
			t.Errorf("status %d, closed %v: %s", status, closed, body)
		}
	})
}

// send posts a body over a connection and tells whether the answer closes it.
func send(t *testing.T, server *httptest.Server, body string) (status int, answer string, closed bool) {
	t.Helper()
	response, err := server.Client().Post(server.URL, "application/json; charset=utf-8", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Close
}

func TestBodyThatBreaksOff(t *testing.T) {
	body := reviewOf(legacyPod)
	f := newFixture()
	request := httptest.NewRequest(http.MethodPost, MutatePath, io.MultiReader(strings.NewReader(body[:300]), brokenReader{}))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, request)
	want := []string{"probeshift: Pod not examined: body broke off after 300 bytes"}
	if diff := cmp.Diff(want, answerOf(t, recorder).Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if recorder.Header().Get("Connection") != "close" {
		t.Error("the connection is kept")
	}
}

func TestClientThatStallsIsAnsweredFromThePartThatIsRead(t *testing.T) {
	server := httptest.NewServer(newFixture(func(c *Config) { c.ReadTimeout = 100 * time.Millisecond }))
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n%s",
		MutatePath, reviewOf(legacyPod)[:300])
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"HTTP/1.1 200 OK", "Connection: close", testUID, "body broke off after 300 bytes"} {
		if !strings.Contains(string(answer), part) {
			t.Errorf("no %q in %s", part, answer)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOtherRequestsAreRefused(t *testing.T) {
	tests := map[string]struct {
		method, contentType string
		status              int
	}{
		"another method":            {http.MethodGet, "application/json", http.StatusMethodNotAllowed},
		"another content type":      {http.MethodPost, "application/yaml", http.StatusUnsupportedMediaType},
		"no content type":           {http.MethodPost, "", http.StatusUnsupportedMediaType},
		"a broken content type":     {http.MethodPost, "application/json; =", http.StatusUnsupportedMediaType},
		"the type with a parameter": {http.MethodPost, "Application/JSON; charset=utf-8", http.StatusOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, MutatePath, strings.NewReader(reviewOf(plainPod)))
			request.Header.Set("Content-Type", test.contentType)
			recorder := httptest.NewRecorder()
			f := newFixture()
			f.ServeHTTP(recorder, request)
			if recorder.Code != test.status {
				t.Errorf("HTTP status %d, want %d", recorder.Code, test.status)
			}
			if allow := recorder.Header().Get("Allow"); test.status == http.StatusMethodNotAllowed && allow != "POST" {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestPanicIsAllowed(t *testing.T) {
	for name, cause := range map[string]any{
		"a text":          "secret hunter2",
		"an error":        fmt.Errorf("secret hunter2"),
		"a runtime error": nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(deciding(func(*corev1.Pod, mutate.Policy) mutate.Result {
				if cause == nil {
					var findings []mutate.Finding
					return mutate.Result{Findings: findings[:1:1]}
				}
				panic(cause)
			}))
			want := &admissionv1.AdmissionResponse{
				UID: testUID, Allowed: true, Warnings: []string{"probeshift: Pod not examined: internal error"},
			}
			if diff := cmp.Diff(want, answerOf(t, f.post(reviewOf(legacyPod)))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if got := f.counted(internalError); got != 1 {
				t.Errorf("internal-error counted %v times", got)
			}
			if log := f.log.String(); !strings.Contains(log, "panic") || !strings.Contains(log, testUID) || strings.Contains(log, "hunter2") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

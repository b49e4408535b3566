package admission

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// benchReviews are the reviews that speed is measured with: a Pod without the
// tool, a small one, and a large one of 20 containers with 40 probes.
func benchReviews() map[string]string {
	padding := `"annotations":{"note":"` + strings.Repeat("x", 2500) + `"},`
	var containers []string
	for i := range 20 {
		containers = append(containers, fmt.Sprintf(`{"name":"c%d","image":"example/app:1.2.3","ports":[{"containerPort":%d}],`+
			`"env":[%s{"name":"PORT","value":"%d"}],`+
			`"readinessProbe":{"exec":{"command":["/bin/grpc_health_probe","-addr=:%d"]},"periodSeconds":5,"timeoutSeconds":1},`+
			`"livenessProbe":{"exec":{"command":["/bin/grpc_health_probe","-addr=:%d"]},"periodSeconds":5,"timeoutSeconds":1}}`,
			i, 9000+i, strings.Repeat(`{"name":"SETTING","value":"some value of usual length"},`, 50), 9000+i, 9000+i, 9000+i))
	}
	large := `{"metadata":{"name":"large","labels":{"a":"b"}},"spec":{"containers":[` + strings.Join(containers, ",") + `]}}`
	return map[string]string{
		"nothing to do":   reviewOf(strings.Replace(plainPod, `"metadata": {`, `"metadata": {`+padding, 1)),
		"small rewritten": reviewOf(strings.Replace(legacyPod, `"metadata": {`, `"metadata": {`+padding, 1)),
		"large rewritten": reviewOf(large),
	}
}

// BenchmarkHandler is a whole review, without HTTP's own cost.
func BenchmarkHandler(b *testing.B) {
	for name, body := range benchReviews() {
		b.Run(name, func(b *testing.B) {
			f := newFixture()
			reader := strings.NewReader(body)
			request := httptest.NewRequest(http.MethodPost, MutatePath, reader)
			request.Header.Set("Content-Type", "application/json")
			w := &discard{header: http.Header{}}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				f.log.Reset()
				f.ServeHTTP(w, request)
			}
		})
	}
}

// BenchmarkSearch is the search of the bytes.
func BenchmarkSearch(b *testing.B) {
	body := []byte(benchReviews()["nothing to do"])
	m := newMentions(nil)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if m.in(body) {
			b.Fatal("a Pod that is not ours was taken for one")
		}
	}
}

// BenchmarkDecode is the decoding: of the envelope alone, with the narrow Pod,
// and of the whole typed Pod for comparison.
func BenchmarkDecode(b *testing.B) {
	for name, body := range benchReviews() {
		text := []byte(body)
		b.Run("envelope/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode[unread](text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("narrow/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode[*pod](text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("typed/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var review admissionv1.AdmissionReview
				if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &review); err != nil {
					b.Fatal(err)
				}
				if _, ok := typed(review.Request.Object.Raw); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}

// BenchmarkDecide is the decision itself, which is another package's.
func BenchmarkDecide(b *testing.B) {
	for name, body := range benchReviews() {
		b.Run(name, func(b *testing.B) {
			request, err := decode[*pod]([]byte(body))
			if err != nil {
				b.Fatal(err)
			}
			p := request.Object.core()
			b.ReportAllocs()
			for b.Loop() {
				mutate.Mutate(p, mutate.Policy{})
			}
		})
	}
}

// BenchmarkAnswer is the writing of a patch and its answer.
func BenchmarkAnswer(b *testing.B) {
	var operations []jsonpatch.Operation
	for name, body := range benchReviews() {
		if name != "large rewritten" {
			continue
		}
		request, err := decode[*pod]([]byte(body))
		if err != nil {
			b.Fatal(err)
		}
		operations = mutate.Mutate(request.Object.core(), mutate.Policy{}).Operations
	}
	b.ReportAllocs()
	for b.Loop() {
		patch, err := appendPatch(nil, operations)
		if err != nil {
			b.Fatal(err)
		}
		appendAnswer(nil, verdict{uid: testUID, patch: patch})
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

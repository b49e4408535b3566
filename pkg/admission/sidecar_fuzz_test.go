package admission

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// FuzzSidecar sends any Pod to a handler that injects. A Pod that an API server
// could hold never leads to an error of our own, is refused only where it asks
// for the sidecar, and its patch was carried out before it was sent.
func FuzzSidecar(f *testing.F) {
	for _, pod := range fuzzPods {
		f.Add([]byte(pod))
	}
	f.Add([]byte(clientPod))
	f.Add([]byte(strings.Replace(clientPod, `"spec": {`, `"spec": {"hostAliases": null, "securityContext": {"sysctls": null}, "resources": {},`, 1)))
	f.Add([]byte(strings.Replace(clientPod, `"greeter:9000"`, `"greeter:8080", "lb.probeshift.dev/intercept": "env"`, 1)))
	f.Add([]byte(`{"metadata":{"annotations":{"lb.probeshift.dev/upstreams":"a:80,b.c:443"}},"spec":{"initContainers":null,"containers":[null,` +
		`{"args":["a:80","$(X):443"],"env":[null,{"name":"X","value":"b.c"}],"lifecycle":{"preStop":{"tcpSocket":{"port":80}}}}],"volumes":[{}]}}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		whole, ok := typed(object)
		if !ok || !jsontext.Value(object).IsValid() {
			return
		}
		fixture := newFixture(withSidecars)
		recorder := fixture.post(reviewOf(string(object)))
		if recorder.Code != http.StatusOK || fixture.counted(internalError) != 0 {
			t.Fatalf("HTTP status %d: %s", recorder.Code, fixture.log)
		}
		answer := answerOf(t, recorder)
		_, asks := whole.Annotations[sidecar.UpstreamsAnnotation]
		if !answer.Allowed && (!asks || answer.Patch != nil || answer.Result.Message == "") {
			t.Fatalf("refused: %+v", answer)
		}
		if strings.Contains(string(answer.Patch), "lb.probeshift.dev~1status") != (sidecars(fixture, sidecar.Injected) == 1) {
			t.Fatalf("%v counted as injected, patch %s", sidecars(fixture, sidecar.Injected), answer.Patch)
		}
	})
}

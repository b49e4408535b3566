package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

// clientPod asks for the sidecar and has a probe that is rewritten.
const clientPod = `{
	"metadata": {"name": "client", "annotations": {"lb.probeshift.dev/upstreams": "greeter:9000"}},
	"spec": {
		"initContainers": [{"name": "migrate", "image": "migrate"}],
		"containers": [{
			"name": "app", "image": "app", "futureField": {"number": 12345678901234567890},
			"env": [{"name": "TOKEN", "value": "hunter2"}],
			"ports": [{"containerPort": 8080}],
			"resources": {"requests": {"cpu": "100m"}},
			"readinessProbe": {"exec": {"command": ["/bin/grpc_health_probe", "-addr=:8080"]}}
		}]
	}
}`

// withSidecars injects as the product does.
func withSidecars(c *Config) {
	c.Sidecars = &Sidecars{Policy: sidecar.DefaultPolicy(), Inject: sidecar.Inject}
}

// injecting replaces the decision about the sidecar.
func injecting(r sidecar.Result) func(*Config) {
	return func(c *Config) {
		c.Sidecars = &Sidecars{Inject: func(*corev1.Pod, string, sidecar.Policy) sidecar.Result { return r }}
	}
}

// answerTo is the answer to a review.
func answerTo(t *testing.T, f fixture, body string) *admissionv1.AdmissionResponse {
	t.Helper()
	answer := answerOf(t, f.post(body))
	if answer.UID != testUID {
		t.Errorf("uid %q", answer.UID)
	}
	return answer
}

// sidecars is how often an outcome was counted.
func sidecars(f fixture, outcome sidecar.Outcome) float64 {
	return testutil.ToFloat64(f.Metrics.sidecars.WithLabelValues(string(outcome)))
}

func TestTheSidecarComesAfterTheProbesInOnePatch(t *testing.T) {
	f := newFixture(withSidecars)
	answer := answerTo(t, f, reviewOf(clientPod))
	var operations []jsonpatch.Operation
	if err := json.Unmarshal(answer.Patch, &operations); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, o := range operations {
		paths = append(paths, o.Operation+" "+o.Path)
	}
	want := []string{
		"remove /spec/containers/0/readinessProbe/exec", "add /spec/containers/0/readinessProbe/grpc",
		"add /metadata/annotations/probeshift.dev~1status", "add /spec/hostAliases",
		"add /metadata/labels",
		"add /metadata/annotations/lb.probeshift.dev~1status", "add /spec/initContainers/0",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	patched, err := sidecar.Apply([]byte(clientPod), operations)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(patched), `"futureField":{"number":12345678901234567890}`) {
		t.Error("a field that this release does not know is gone")
	}
	if got := sidecars(f, sidecar.Injected); got != 1 {
		t.Errorf("%v counted as injected", got)
	}
	if strings.Contains(f.log.String(), "hunter2") {
		t.Error("the log tells a secret")
	}
}

func TestAPodWithProblemsIsRefusedWithAllOfThem(t *testing.T) {
	f := newFixture(withSidecars)
	body := reviewOf(clientPod, `"greeter:9000"`, `"greeter", "lb.probeshift.dev/retries": "many"`)
	answer := answerTo(t, f, body)
	want := "the load-balancing sidecar cannot be injected, 2 problems: " +
		`(1) annotation lb.probeshift.dev/retries is "many": use a number from 0 to 10; ` +
		`(2) upstream "greeter": it has no port: write greeter:<port>`
	if answer.Allowed || answer.Patch != nil || answer.Result.Message != want || answer.Result.Code != 422 || answer.Result.Reason != "Invalid" {
		t.Errorf("allowed %v, patch %s, result %+v", answer.Allowed, answer.Patch, answer.Result)
	}
	if answer.AuditAnnotations["sidecar-refused"] != want {
		t.Errorf("audit annotations %v", answer.AuditAnnotations)
	}
	if got := sidecars(f, sidecar.Refused); got != 1 {
		t.Errorf("%v counted as refused", got)
	}
	answerTo(t, f, strings.Replace(body, `"dryRun":false`, `"dryRun":true`, 1))
	if got := sidecars(f, sidecar.Refused); got != 1 {
		t.Errorf("a dry run is counted: %v", got)
	}
}

func TestAnAuditedNamespaceOnlyHearsOfProblems(t *testing.T) {
	f := newFixture(withSidecars, func(c *Config) { c.Path, c.Policy.Audit = AuditPath, true })
	answer := answerTo(t, f, reviewOf(clientPod, `"greeter:9000"`, `"greeter"`))
	want := []string{
		`probeshift: the sidecar would be refused: bad-upstream: upstream "greeter": it has no port: write greeter:<port>`,
		"probeshift: app readiness probe would become grpc",
	}
	if diff := cmp.Diff(want, answer.Warnings); diff != "" || !answer.Allowed || answer.Patch != nil {
		t.Errorf("allowed %v, patch %s, warnings (-want +got):\n%s", answer.Allowed, answer.Patch, diff)
	}
}

func TestAnErrorOfOurOwnLetsThePodThroughWithItsProbes(t *testing.T) {
	broken := sidecar.Result{Outcome: sidecar.Injected, StatusText: "{}", Operations: []jsonpatch.Operation{jsonpatch.NewOperation("replace", "/spec/nowhere", 1)}}
	for name, r := range map[string]sidecar.Result{
		"the injection fails":            {Outcome: sidecar.Failed, Err: errors.New("no configuration")},
		"the patch does not apply":       broken,
		"the patch brings about nothing": {Outcome: sidecar.Injected, StatusText: "{}", Operations: []jsonpatch.Operation{jsonpatch.NewOperation("add", "/spec/nodeName", "n")}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(injecting(r))
			answer := answerTo(t, f, reviewOf(clientPod))
			if !answer.Allowed || !strings.Contains(string(answer.Patch), "readinessProbe/grpc") || strings.Contains(string(answer.Patch), "/spec/no") {
				t.Errorf("allowed %v, patch %s", answer.Allowed, answer.Patch)
			}
			if diff := cmp.Diff([]string{"probeshift: the sidecar is not injected: internal error"}, answer.Warnings[:1]); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if got := sidecars(f, sidecar.Failed); got != 1 || testutil.ToFloat64(f.Metrics.internalErrors) != 1 {
				t.Errorf("%v counted as failed, %v internal errors", got, testutil.ToFloat64(f.Metrics.internalErrors))
			}
		})
	}
}

func TestAPodThatCannotBeDecodedWholeIsLetThrough(t *testing.T) {
	f := newFixture(withSidecars)
	answer := answerTo(t, f, reviewOf(clientPod, `"cpu": "100m"`, `"cpu": {}`))
	if !answer.Allowed || strings.Contains(string(answer.Patch), sidecar.ContainerName) || sidecars(f, sidecar.Failed) != 1 {
		t.Errorf("allowed %v, patch %s", answer.Allowed, answer.Patch)
	}
}

func TestAPanicOfTheInjectionBlocksNoPod(t *testing.T) {
	f := newFixture(func(c *Config) {
		c.Sidecars = &Sidecars{Inject: func(*corev1.Pod, string, sidecar.Policy) sidecar.Result { panic("oops") }}
	})
	if answer := answerTo(t, f, reviewOf(clientPod)); !answer.Allowed || answer.Patch != nil {
		t.Errorf("allowed %v, patch %s", answer.Allowed, answer.Patch)
	}
}

func TestOnlyPodsThatAskAreDecodedWhole(t *testing.T) {
	for name, pod := range map[string]string{
		"no annotation of ours":    legacyPod,
		"an annotation for probes": strings.Replace(clientPod, "lb.probeshift.dev/upstreams", "probeshift.dev/probes", 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(c *Config) {
				c.Sidecars = &Sidecars{Inject: func(*corev1.Pod, string, sidecar.Policy) sidecar.Result {
					t.Error("it is asked for")
					return sidecar.Result{}
				}}
			})
			answerTo(t, f, reviewOf(pod))
		})
	}
}

func TestTheReleaseOfTheAPIServerIsAskedForEachPod(t *testing.T) {
	f := newFixture(withSidecars)
	release := version.MustParseGeneric("1.28.0")
	f.Sidecars.APIServer = func() *version.Version { return release }
	if answer := answerTo(t, f, reviewOf(clientPod)); answer.Allowed {
		t.Error("a Pod is injected under an API server of 1.28")
	}
	release = version.MustParseGeneric("1.29.0")
	if answer := answerTo(t, f, reviewOf(clientPod)); !answer.Allowed {
		t.Errorf("refused under an API server of 1.29: %+v", answer.Result)
	}
}

func TestTheStatusOfTheProbesLeavesRoomForThatOfTheSidecar(t *testing.T) {
	var seen *corev1.Pod
	f := newFixture(withSidecars, deciding(func(pod *corev1.Pod, policy mutate.Policy) mutate.Result {
		seen = pod
		return mutate.Mutate(pod, policy)
	}))
	answerTo(t, f, reviewOf(clientPod))
	if !strings.Contains(seen.Annotations[sidecar.StatusAnnotation], `"hash"`) {
		t.Errorf("annotations %v", seen.Annotations)
	}
}

func TestGoldenCasesOfTheSidecarThroughTheHandler(t *testing.T) {
	all, err := lbcases.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			policy, err := c.Flags.Policy()
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(func(config *Config) {
				config.Policy.Audit = policy.Audit
				config.Sidecars = &Sidecars{Policy: policy, Inject: sidecar.Inject, APIServer: func() *version.Version { return policy.APIServer }}
			})
			answer := answerTo(t, f, reviewOf(string(c.JSON)))
			pure, err := c.Inject()
			if err != nil {
				t.Fatal(err)
			}
			if answer.Allowed != (pure.Outcome != sidecar.Refused) || !answer.Allowed && answer.Result.Message != pure.Message() {
				t.Errorf("allowed %v, result %+v", answer.Allowed, answer.Result)
			}
			want, err := json.Marshal(pure.Operations)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range answer.Warnings {
				if len(w) >= 120 {
					t.Errorf("a warning of %d bytes: %s", len(w), w)
				}
			}
			if len(pure.Operations) > 0 && !strings.HasSuffix(canonical(t, answer.Patch), strings.TrimPrefix(canonical(t, want), "[")) {
				t.Errorf("patch %s\ndoes not end with %s", answer.Patch, want)
			}
		})
	}
}

// canonical is a JSON text with its objects' members in order.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// owners keeps what the controllers of Pods are told.
type owners struct{ told []string }

func (o *owners) Found(string, *metav1.OwnerReference, []mutate.Finding) {}

func (o *owners) Injected(namespace string, owner *metav1.OwnerReference, r sidecar.Result) {
	o.told = append(o.told, namespace+"/"+owner.Name+" "+string(r.Outcome))
}

func TestAnInjectedPodThatComesAgainIsToldOnlyWithNews(t *testing.T) {
	later := sidecar.Warning{Code: sidecar.LaterPortClash, Text: "port 9000 is the sidecar's"}
	for sentence, tc := range map[string]struct {
		warnings []sidecar.Warning
		logged   int
		audited  string
	}{
		"no news":                 {nil, 0, ""},
		"one warning":             {[]sidecar.Warning{later}, 1, "later-port-clash"},
		"many warnings of a kind": {[]sidecar.Warning{later, later, {Code: sidecar.LaterMesh, Text: "a mesh"}}, 1, "later-port-clash, later-mesh"},
	} {
		f := newFixture(injecting(sidecar.Result{Outcome: sidecar.AlreadyInjected, Warnings: tc.warnings}))
		answer := answerTo(t, f, reviewOf(clientPod))
		if got := strings.Count(f.log.String(), "sidecar decided"); got != tc.logged {
			t.Errorf("%s: %d lines in the log", sentence, got)
		}
		if got := answer.AuditAnnotations["sidecar-later-warnings"]; got != tc.audited {
			t.Errorf("%s: audited as %q", sentence, got)
		}
	}
}

func TestTheControllerOfAPodIsToldOfItsSidecar(t *testing.T) {
	owned := strings.Replace(clientPod, `{"name": "client",`, `{"name": "client", "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": true}],`, 1)
	for sentence, tc := range map[string]struct {
		body string
		want []string
	}{
		"a Pod with a controller":    {reviewOf(owned), []string{"shop/rs injected"}},
		"a Pod without a controller": {reviewOf(clientPod), nil},
		"a dry run":                  {reviewOf(owned, `"dryRun":false`, `"dryRun":true`), nil},
	} {
		told := &owners{}
		f := newFixture(withSidecars, func(c *Config) { c.Events = told })
		answerTo(t, f, tc.body)
		if diff := cmp.Diff(tc.want, told.told); diff != "" {
			t.Errorf("%s (-want +told):\n%s", sentence, diff)
		}
	}
}

// BenchmarkSidecar is the cost of a review of a Pod that gets the sidecar, by
// the number of its upstreams.
func BenchmarkSidecar(b *testing.B) {
	for _, upstreams := range []int{1, 10, 50} {
		b.Run(strconv.Itoa(upstreams), func(b *testing.B) {
			var list []string
			for i := range upstreams {
				list = append(list, fmt.Sprintf("service-%d.hall:9000", i))
			}
			body := []byte(reviewOf(clientPod, "greeter:9000", strings.Join(list, ",")))
			f := newFixture(withSidecars)
			b.ReportAllocs()
			for b.Loop() {
				v := f.review(body, nil)
				if len(v.patch) == 0 {
					b.Fatalf("no patch: %+v", v)
				}
				b.ReportMetric(float64(len(v.patch)), "patch-bytes")
			}
		})
	}
}

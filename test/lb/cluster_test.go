package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestWhatAClientSaidIsReadBack(t *testing.T) {
	seen, err := parseWindows(`{"number":1,"sent":400,"answers":{"a":200,"b":200}}
{"number":2,"sent":400,"answers":{"a":100},"failures":{"Unavailable":2}}
{"number":3,"sent":200,"ending":true,"answers":{"a":50}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := seen.number(); got != 3 {
		t.Errorf("the last is %d, want 3", got)
	}
	if diff := cmp.Diff([]int{100, 25, 25}, seen.percents()); diff != "" {
		t.Errorf("percents (-want +got):\n%s", diff)
	}
	if got := len(seen.since(1)); got != 2 {
		t.Errorf("%d after the first, want 2", got)
	}
	if got := len(seen.since(3)); got != 0 {
		t.Errorf("%d after the last, want 0", got)
	}
	if diff := cmp.Diff(spread{"a": 50}, seen.ending().answers()); diff != "" {
		t.Errorf("answers after SIGTERM (-want +got):\n%s", diff)
	}
	if got, want := seen.show(), "2 of 552 failed (Unavailable:2); 2 s windows, % of what was sent: 100 25 25 (the client sent as little as 50 % of 200/s)"; got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
	if _, err := parseWindows("panic: something\n"); err == nil {
		t.Error("what is no window was read")
	}
}

func TestTheReasonOfAFailureIsTheSidecarsWhereItHasOne(t *testing.T) {
	for want, err := range map[string]error{
		ended:              status.Error(codes.Unavailable, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
		"DeadlineExceeded": status.Error(codes.DeadlineExceeded, "context deadline exceeded"),
		"Unknown":          errors.New("of no kind"),
	} {
		if got := reason(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestAPartThatIsMissingIsNotBalanced(t *testing.T) {
	for name, c := range map[string]struct {
		seen spread
		even bool
		text string
	}{
		"even":          {spread{"a": 95, "b": 105}, true, "48/52"},
		"uneven":        {spread{"a": 60, "b": 140}, false, "30/70"},
		"one is silent": {spread{"a": 200}, false, "100/0"},
		"nothing":       {spread{}, false, "-/-"},
	} {
		even, text := balanced(c.seen, []string{"a", "b"})
		if even != c.even || text != c.text {
			t.Errorf("%s: %t %s, want %t %s", name, even, text, c.even, c.text)
		}
	}
}

func TestTheWorkloadsAreWhatTheWebhookPatches(t *testing.T) {
	c := &cluster{lb: "registry.example/lb:v1"}
	documents := strings.Split(c.workloads(), "\n---\n")
	if len(documents) != 3 {
		t.Fatalf("%d documents, want 3", len(documents))
	}
	var greeter, clients appsv1.Deployment
	var job batchv1.Job
	one := caller{name: client, annotations: upstreams(greeterTarget), args: []string{"--linger=4s"}}
	for document, into := range map[string]any{
		documents[2]:                      &greeter,
		c.manifest(clientDeployment, one): &clients,
		c.manifest(clientJob, one):        &job,
	} {
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
	}
	if env := greeter.Spec.Template.Spec.Containers[0].Env[0].Name; env != "POD_NAME" {
		t.Errorf("the server is told its name by %s, want POD_NAME", env)
	}
	for name, template := range map[string]corev1.PodTemplateSpec{"greeter": greeter.Spec.Template, "client": clients.Spec.Template, "job": job.Spec.Template} {
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		result := sidecar.Inject(pod, namespace, sidecar.DefaultPolicy())
		if injected := len(result.Operations) > 0; injected != (name != "greeter") {
			t.Errorf("%s: %d operations, %s %s", name, len(result.Operations), result.Outcome, result.Message())
		}
	}
	if got := clients.Spec.Template.Spec.Containers[0].Args; !cmp.Equal(got, []string{"client", "--target=$(GREETER_ADDR)", "--linger=4s"}) {
		t.Errorf("the client's arguments are %q", got)
	}
}

func TestTheServiceIsHeadlessWithoutDiscoveryOnly(t *testing.T) {
	for _, discovery := range []bool{false, true} {
		var service corev1.Service
		document := strings.Split((&cluster{discovery: discovery}).workloads(), "\n---\n")[1]
		if err := yaml.UnmarshalStrict([]byte(document), &service); err != nil {
			t.Fatal(err)
		}
		if headless := service.Spec.ClusterIP == corev1.ClusterIPNone; headless == discovery {
			t.Errorf("discovery %t: headless %t", discovery, headless)
		}
	}
}

func TestWhatFailedIsInFlightWhereAServerEndedOrOtherwise(t *testing.T) {
	b := &begun{numbers: map[string]bool{"c-1": true, "c-2": true, lastLine + "a": true}}
	seen := windows{{
		Failures: spread{ended: 2, "DeadlineExceeded": 1},
		Failed:   map[string][]failure{ended: {{Number: "c-2"}, {Number: "c-3"}}, "DeadlineExceeded": {{Number: "c-1"}}},
	}}
	if diff := cmp.Diff(fates{carried: 1, late: 1, other: 1}, b.of(seen), cmp.AllowUnexported(fates{})); diff != "" {
		t.Errorf("fates (-want +got):\n%s", diff)
	}
	if got := b.withoutLastLine([]string{"a", "b"}); got != 1 {
		t.Errorf("%d servers without a last line, want 1", got)
	}
	for name, f := range map[string]fates{"another reason": {other: 1}, "a log not read to its end": {silent: 1}} {
		if f.met() {
			t.Errorf("%s is met", name)
		}
	}
	if f := (fates{carried: 1, late: 2}); !f.met() {
		t.Error("what was in flight is not met")
	}
}

func TestTheTimeFromASliceToAnAnswerIsThatOfThePodThatMoved(t *testing.T) {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }
	slice := func(ready map[string]bool) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "s"}}
		for name, in := range ready {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
				TargetRef: &corev1.ObjectReference{Name: name}, Conditions: discoveryv1.EndpointConditions{Ready: &in},
			})
		}
		return s
	}
	s := &slicesOf{members: map[string]map[string]bool{}}
	s.take("ADDED", slice(map[string]bool{"old": true}), at(0))
	s.settle()
	s.take("MODIFIED", slice(map[string]bool{"old": true, "new": true}), at(10))
	s.take("MODIFIED", slice(map[string]bool{"old": false, "new": true}), at(20))
	seen := windows{
		{Seen: map[string]sighting{"old": {First: at(1), Last: at(2)}}},
		{Seen: map[string]sighting{"old": {First: at(9), Last: at(20.25)}, "new": {First: at(10.5), Last: at(25)}}},
	}
	want := times{arrived: []time.Duration{500 * time.Millisecond}, left: []time.Duration{250 * time.Millisecond}}
	if diff := cmp.Diff(want, s.times(seen), cmp.AllowUnexported(times{})); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func TestPercentilesAreOfWhatThereIs(t *testing.T) {
	all := []time.Duration{3, 1, 2}
	for percent, want := range map[int]time.Duration{0: 1, 50: 2, 99: 3, 100: 3} {
		if got := percentileOf(all, percent); got != want {
			t.Errorf("p%d is %d, want %d", percent, got, want)
		}
	}
	if got := percentileOf(nil, 50); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

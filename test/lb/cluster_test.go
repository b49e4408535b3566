package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestWhatAClientSaidIsReadBack(t *testing.T) {
	seen, err := parseWindows(`{"number":1,"answers":{"a":200,"b":200}}
{"number":2,"answers":{"a":100},"failures":{"Unavailable":2}}
{"number":3,"ending":true,"answers":{"a":50}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := seen.number(); got != 3 {
		t.Errorf("the last is %d, want 3", got)
	}
	if diff := cmp.Diff([]int{100, 25, 13}, seen.percents()); diff != "" {
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
	if got, want := seen.show(), "2 of 552 failed (Unavailable:2); 2 s windows in % of the rate: 100 25 13"; got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
	if _, err := parseWindows("panic: something\n"); err == nil {
		t.Error("what is no window was read")
	}
}

func TestTheReasonOfAFailureIsTheSidecarsWhereItHasOne(t *testing.T) {
	for want, err := range map[string]error{
		inFlight:           status.Error(codes.Unavailable, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
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
	all := c.filled(workloads, client, upstreams(greeterTarget), "--linger=4s")
	documents := strings.Split(all, "\n---\n")
	if len(documents) != 4 {
		t.Fatalf("%d documents, want 4", len(documents))
	}
	var greeter, clients appsv1.Deployment
	var job batchv1.Job
	for document, into := range map[string]any{
		documents[2]: &greeter,
		documents[3]: &clients,
		c.filled(clientJob, "client-job", upstreams(greeterTarget), "--calls=1000"): &job,
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

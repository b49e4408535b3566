package events

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

var (
	owner   = metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "u"}
	service = ""
	done    = mutate.Finding{Container: "app", Probe: mutate.Readiness, Outcome: mutate.Rewritten, GRPC: &corev1.GRPCAction{Port: 9000, Service: &service}}
	left    = mutate.Finding{Container: "app", Probe: mutate.Liveness, Outcome: mutate.Skipped, Reason: reason.AlwaysFails, Detail: "why", Command: []string{"secret"}}
)

func TestNotesTellWhatBecameOfTheProbes(t *testing.T) {
	findings := []mutate.Finding{done, left}
	type note struct{ Note, Severity string }
	got := map[mutate.Outcome]note{}
	for outcome := range reasons {
		text, severity := describe(outcome, findings)
		got[outcome] = note{text, severity}
	}
	want := map[mutate.Outcome]note{
		mutate.Rewritten:    {"app readiness probe: The exec probe is now a grpc probe of port 9000.", "Normal"},
		mutate.Skipped:      {"app liveness probe: always-fails: " + reason.AlwaysFails.Sentence() + " (why)", "Warning"},
		mutate.WouldRewrite: {"", "Normal"},
		mutate.Restored:     {"", "Normal"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALongNoteIsCutBetweenLines(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("%02d %s", i, strings.Repeat("x", 60)))
	}
	got := fit(lines)
	if len(got) > maxNote || !strings.HasSuffix(got, " more") || strings.Count(got, "\n") != 15 || !strings.Contains(got, "and 25 more") {
		t.Errorf("%d bytes:\n%s", len(got), got)
	}
}

func TestEventsOfOneOwnerBecomeASeries(t *testing.T) {
	client := fake.NewClientset()
	recorder := New(client.EventsV1(), Webhook, prometheus.NewRegistry(), logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- recorder.Start(ctx) }()

	var events []eventsv1.Event
	// The broadcaster forgets what it is told before it has started.
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		recorder.Found("ns", &owner, []mutate.Finding{done})
		list, err := client.EventsV1().Events("ns").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if events = list.Items; len(events) == 1 && events[0].Series != nil {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || events[0].Series == nil {
		t.Fatalf("no series: %+v", events)
	}
	want := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "u", Namespace: "ns"}
	if diff := cmp.Diff(want, events[0].Regarding); diff != "" || events[0].Reason != "ProbesRewritten" {
		t.Errorf("reason %s, regarding (-want +got):\n%s", events[0].Reason, diff)
	}
}

func TestABurstIsDroppedAndCounted(t *testing.T) {
	recorder := New(fake.NewClientset().EventsV1(), Webhook, prometheus.NewRegistry(), logr.Discard())
	for range burst + 100 {
		recorder.Found("ns", &owner, []mutate.Finding{done})
	}
	if dropped := testutil.ToFloat64(recorder.dropped); dropped < 50 {
		t.Errorf("dropped %v of %d", dropped, burst+100)
	}
}

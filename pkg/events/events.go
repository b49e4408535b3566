// Package events tells the owners of Pods what became of their probes, as
// Events on the owning controller. kube-controller-manager drops the warnings
// of an admission, so for a Deployment's Pods this is how the news reach a
// person who looks with kubectl describe.
package events

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	clientevents "k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// Who Events name as their reporter.
const (
	Webhook   = "probeshift.dev/webhook"
	Discovery = "probeshift.dev/discovery"
)

const (
	// maxNote is the size of an Event's note, in bytes (NoteLengthLimit in
	// k8s.io/kubernetes pkg/apis/core/validation/events.go).
	maxNote = 1024
	// perSecond and burst bound the Events of one replica: a rollout of many
	// Deployments at once must not become a load on the API server.
	perSecond = 5
	burst     = 50
)

// Recorder writes Events in the background. Equal Events on one owner become a
// series, so that a Deployment of many Pods gets one Event with a count.
type Recorder struct {
	broadcaster clientevents.EventBroadcaster
	recorder    clientevents.EventRecorderLogger
	limiter     *rate.Limiter
	dropped     prometheus.Counter
	log         logr.Logger
}

// New returns a recorder of Events by a reporter. It needs the rights to create
// and patch events of events.k8s.io.
func New(client eventsclient.EventsV1Interface, reporter string, metrics prometheus.Registerer, log logr.Logger) *Recorder {
	dropped := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "probeshift_events_dropped_total",
		Help: "Events not written because too many were due at once.",
	})
	metrics.MustRegister(dropped)
	broadcaster := clientevents.NewBroadcaster(&clientevents.EventSinkImpl{Interface: client})
	return &Recorder{
		broadcaster: broadcaster,
		recorder:    broadcaster.NewRecorder(runtime.NewScheme(), reporter).WithLogger(log),
		limiter:     rate.NewLimiter(perSecond, burst),
		dropped:     dropped,
		log:         log,
	}
}

// Start writes Events until ctx ends.
func (r *Recorder) Start(ctx context.Context) error {
	defer r.broadcaster.Shutdown()
	if err := r.broadcaster.StartRecordingToSinkWithContext(klog.NewContext(ctx, r.log)); err != nil {
		return fmt.Errorf("start writing events: %w", err)
	}
	<-ctx.Done()
	return nil
}

// NeedLeaderElection says no: every replica tells what it decided.
func (r *Recorder) NeedLeaderElection() bool { return false }

// Found tells the owner of a Pod the news of a decision. It never blocks.
func (r *Recorder) Found(namespace string, owner *metav1.OwnerReference, findings []mutate.Finding) {
	regarding := &corev1.ObjectReference{
		APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, UID: owner.UID, Namespace: namespace,
	}
	for _, outcome := range []mutate.Outcome{mutate.Rewritten, mutate.WouldRewrite, mutate.Skipped, mutate.Restored} {
		note, severity := describe(outcome, findings)
		if note != "" {
			r.send(regarding, severity, reasons[outcome], "Admission", note)
		}
	}
}

// OnConfiguration returns a writer of warnings on the webhook's own
// MutatingWebhookConfiguration. Since that has no namespace, they stand in the
// namespace default.
func (r *Recorder) OnConfiguration(name string) Object {
	return Object{recorder: r, regarding: &corev1.ObjectReference{
		APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: name,
	}}
}

// OnConfigMap returns a writer of warnings on the ConfigMap that discovery
// publishes its CA in. They stand in its namespace.
func (r *Recorder) OnConfigMap(namespace, name string) Object {
	return Object{recorder: r, regarding: &corev1.ObjectReference{
		APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name,
	}}
}

// Object writes warnings on the object that a CA is published in.
type Object struct {
	recorder  *Recorder
	regarding *corev1.ObjectReference
}

// Warn writes a warning with a reason of one CamelCase word. It never blocks.
func (o Object) Warn(why, message string) {
	o.recorder.send(o.regarding, corev1.EventTypeWarning, why, "Certificates", message)
}

// send hands an Event to the broadcaster, unless too many are due.
func (r *Recorder) send(regarding *corev1.ObjectReference, severity, why, action, note string) {
	if !r.limiter.Allow() {
		r.dropped.Inc()
		return
	}
	r.recorder.Eventf(regarding, nil, severity, why, action, "%s", note)
}

// reasons are the Events' reasons.
var reasons = map[mutate.Outcome]string{
	mutate.Rewritten:    "ProbesRewritten",
	mutate.WouldRewrite: "ProbesWouldBeRewritten",
	mutate.Skipped:      "ProbesLeftAsExec",
	mutate.Restored:     "ProbesRestored",
}

// describe is the note on the findings of an outcome, without commands: they
// may hold secrets. A probe that can never have worked is worth a warning.
func describe(outcome mutate.Outcome, findings []mutate.Finding) (note, severity string) {
	severity = corev1.EventTypeNormal
	var lines []string
	for _, f := range findings {
		if f.Outcome != outcome {
			continue
		}
		line := fmt.Sprintf("%s %s probe: ", f.Container, f.Probe)
		if f.Reason != reason.None {
			line += string(f.Reason) + ": "
		}
		line += f.Sentence()
		if f.Detail != "" {
			line += " (" + f.Detail + ")"
		}
		lines = append(lines, line)
		if f.Reason == reason.AlwaysFails || f.Reason == reason.AlwaysSucceeds {
			severity = corev1.EventTypeWarning
		}
	}
	return fit(lines), severity
}

// fit joins as many lines as a note holds and counts the rest.
func fit(lines []string) string {
	const more = len("\nand 1000000 more")
	var note strings.Builder
	for i, line := range lines {
		if note.Len()+1+len(line)+more > maxNote {
			return fmt.Sprintf("%s\nand %d more", note.String(), len(lines)-i)
		}
		if i > 0 {
			note.WriteByte('\n')
		}
		note.WriteString(line)
	}
	return note.String()
}

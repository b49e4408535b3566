package mutate

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// ProbeKind is the kind of a probe, as it is written in status and metrics.
type ProbeKind string

// The three kinds of probe.
const (
	Liveness  ProbeKind = "liveness"
	Readiness ProbeKind = "readiness"
	Startup   ProbeKind = "startup"
)

// Outcome is what became of a probe.
type Outcome string

// The outcomes.
const (
	// Rewritten: the probe is native now.
	Rewritten Outcome = "rewritten"
	// WouldRewrite: the probe would be native if rewriting was allowed.
	WouldRewrite Outcome = "would-rewrite"
	// Restored: the probe had been rewritten and has its exec handler again.
	Restored Outcome = "restored"
	// Skipped: the probe is left alone; the reason says why.
	Skipped Outcome = "skipped"
)

// Finding is what was decided of one probe of the tool.
type Finding struct {
	Container string
	Probe     ProbeKind
	Outcome   Outcome
	// Reason is empty for Rewritten and WouldRewrite.
	Reason reason.Code
	// Detail says what in the command or the Pod the reason stands on. It
	// never holds anything secret; it may be empty.
	Detail string
	// Command is the exec command, as sent. It may hold secrets.
	Command []string
	// TimeoutSeconds is the probe's timeout as sent.
	TimeoutSeconds int32
	// GRPC and NewTimeoutSeconds are the native probe of a Rewritten or
	// WouldRewrite finding.
	GRPC              *corev1.GRPCAction
	NewTimeoutSeconds int32
	// Known says that the Pod's status annotation already tells this finding,
	// so that it was reported by an earlier call.
	Known bool
}

// Sentence tells the finding to a person, in one sentence without a command.
func (f Finding) Sentence() string {
	switch f.Outcome {
	case Rewritten:
		return "The exec probe is now " + f.native() + "."
	case WouldRewrite:
		return "The exec probe would become " + f.native() + "."
	case Restored:
		return "The probe has its exec command again: " + f.Reason.Sentence()
	default:
		return f.Reason.Sentence()
	}
}

// native describes the native probe.
func (f Finding) native() string {
	text := fmt.Sprintf("a grpc probe of port %d", f.GRPC.Port)
	if f.GRPC.Service != nil && *f.GRPC.Service != "" {
		text += fmt.Sprintf(", service %q", *f.GRPC.Service)
	}
	return text
}

// RemarkCode names a remark on the Pod as a whole.
type RemarkCode string

// The remarks.
const (
	// BadAnnotation: a key or value of ours is not known; the most careful
	// value of its key was taken.
	BadAnnotation RemarkCode = "bad-annotation"
	// NamespaceAudits: the Pod asks for rewriting, its namespace only audits.
	NamespaceAudits RemarkCode = "namespace-audits"
	// BarePodRewritten: a Pod without a controlling owner was rewritten.
	BarePodRewritten RemarkCode = "bare-pod"
)

// Remark is a note on the Pod as a whole.
type Remark struct {
	Code RemarkCode
	// Text is one sentence.
	Text string
}

// bareRemark warns of a rewritten Pod that no controller owns.
func bareRemark(pod *corev1.Pod, findings []Finding) []Remark {
	if metav1.GetControllerOfNoCopy(pod) != nil {
		return nil
	}
	for _, f := range findings {
		if f.Outcome == Rewritten {
			return []Remark{{BarePodRewritten, "no controller owns this Pod: applying it again is refused, since Pods are immutable"}}
		}
	}
	return nil
}

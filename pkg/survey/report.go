package survey

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// Report is what a survey found.
type Report struct {
	// Pods is how many Pods were looked at.
	Pods int `json:"pods"`
	// Workloads are those with a probe of the tool, by namespace, kind, name.
	Workloads []Workload `json:"workloads"`
	Totals    Totals     `json:"totals"`
	// Images are those with a container that such a probe runs in, by name.
	Images []Image `json:"images"`
	Cost   Cost    `json:"cost"`
	// NotRead are the kinds of workloads that could not be listed, so that those
	// of them without Pods are missing.
	NotRead []string `json:"notRead,omitempty"`
}

// Workload is one workload and its probes of the tool.
type Workload struct {
	Owner `json:",inline"`
	// Pods is how many Pods of it have such a probe, 0 for one that is known by
	// its template alone.
	Pods   int     `json:"pods"`
	Probes []Probe `json:"probes"`
	// Remarks are about the Pods as a whole, such as an annotation with an
	// unknown value.
	Remarks []string `json:"remarks,omitempty"`
}

// Probe is what becomes of one probe of a workload. Where its Pods differ, as
// in the middle of a rollout, there are several of the same container and kind.
type Probe struct {
	Container string           `json:"container"`
	Kind      mutate.ProbeKind `json:"probe"`
	// Outcome is WouldRewrite, Skipped, or Rewritten for a probe that is native
	// already by our doing.
	Outcome mutate.Outcome `json:"outcome"`
	Reason  reason.Code    `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	// Held says why the webhook leaves the Pod alone whatever its probes are.
	Held     Hold   `json:"held,omitempty"`
	Sentence string `json:"sentence,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	// Pods is how many Pods have the probe like this.
	Pods int `json:"pods"`
	// Command may hold secrets, as the Pod does.
	Command []string `json:"command,omitempty"`
	// TimeoutSeconds is the exec probe's, NewTimeoutSeconds the native one's.
	TimeoutSeconds    int32              `json:"timeoutSeconds,omitempty"`
	NewTimeoutSeconds int32              `json:"newTimeoutSeconds,omitempty"`
	GRPC              *corev1.GRPCAction `json:"grpc,omitempty"`
}

// Hold is why a Pod does not come before the webhook, or is only looked at.
type Hold string

// The holds.
const (
	// OptedOut: the Pod's label keeps it from being sent.
	OptedOut Hold = "opted-out"
	// ExcludedNamespace: no webhook of ours is called for the namespace.
	ExcludedNamespace Hold = "excluded-namespace"
	// StaticPod: the kubelet runs it from a file; admission cannot change it.
	StaticPod Hold = "static-pod"
	// AuditOnly: the Pod's annotation asks for findings alone.
	AuditOnly Hold = "audit-only"
)

// Holds returns all holds.
func Holds() []Hold { return []Hold{OptedOut, ExcludedNamespace, StaticPod, AuditOnly} }

// Sentence tells the hold to a person.
func (h Hold) Sentence() string {
	switch h {
	case OptedOut:
		return "The Pod's label probeshift.dev/webhook: disabled keeps it from the webhook."
	case ExcludedNamespace:
		return "The namespace is never served, labelled or not."
	case StaticPod:
		return "A static Pod comes from a file on its node; change the probe there."
	case AuditOnly:
		return "The Pod's annotation probeshift.dev/probes asks for findings alone."
	}
	return ""
}

// Totals count probes: of a workload each one once, however many Pods it has.
type Totals struct {
	Workloads    int `json:"workloads"`
	WouldRewrite int `json:"wouldRewrite"`
	Rewritten    int `json:"rewritten"`
	Skipped      int `json:"skipped"`
	Held         int `json:"held"`
	// Reasons count the skipped ones, in the order of judgement.
	Reasons []ReasonTotal `json:"reasons"`
}

// ReasonTotal counts the probes that are left alone for one reason.
type ReasonTotal struct {
	Reason   reason.Code `json:"reason"`
	Probes   int         `json:"probes"`
	Sentence string      `json:"sentence"`
	Remedy   string      `json:"remedy"`
}

// Image is an image whose containers run the tool in a probe.
type Image struct {
	Image string `json:"image"`
	Pods  int    `json:"pods"`
	// ForNothing says that nothing seen in the cluster runs the tool in this
	// image once the probes are native, so that it can be left out of the image.
	ForNothing bool `json:"forNothing"`
	// Needed says what still runs it otherwise.
	Needed []string `json:"needed,omitempty"`
}

// Cost is what the probes take of the nodes' CPUs, in one day.
type Cost struct {
	// ExecRuns is how often the tool is run in a day, Rewritable how many of
	// these runs would be native.
	ExecRuns   int64 `json:"execRunsPerDay"`
	Rewritable int64 `json:"rewritableRunsPerDay"`
	// ExecCPUSeconds is what they take, SavedCPUSeconds how much less it would
	// be.
	ExecCPUSeconds  float64 `json:"execCPUSecondsPerDay"`
	SavedCPUSeconds float64 `json:"savedCPUSecondsPerDay"`
	// Assumption is what the seconds stand on.
	Assumption string `json:"assumption"`
}

package mutate

import (
	"bytes"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
The status annotation tells what was done with each probe of ours, keyed by
container and kind of probe, in codes. A Pod that carries a probe of ours and no
status was missed, one with a status was seen. Entries of rewritten probes hold
what an undo needs: the command, the old timeout, and what we wrote.

When we are called again, an entry counts only where the container still has
exactly the handler the entry says we wrote; every exec probe is judged anew.
Where somebody wrote an exec handler beside ours meanwhile, ours goes, since the
API server refuses a probe with two.
So a status that somebody copied into a template hides nothing.
*/

const (
	// maxStatus is the size of the status annotation, in bytes.
	maxStatus = 64 << 10
	// maxAnnotations is the size of all annotations of an object together, keys
	// and values, in bytes (TotalAnnotationSizeLimitB in
	// k8s.io/apimachinery/pkg/api/validation).
	maxAnnotations = 256 << 10
	// maxObject is the size of a Pod, as JSON, beyond which nothing is added to
	// it. etcd takes 1.5 MiB, and the form that is stored is smaller than JSON.
	maxObject = 14 << 20 / 10
	// maxSkippedCommand is how much of a skipped probe's command is kept.
	maxSkippedCommand = 1 << 10
)

// status is the value of the status annotation.
type status struct {
	Probes map[string]map[ProbeKind]entry `json:"probes"`
	// Dropped counts the skipped probes that did not fit.
	Dropped int `json:"dropped,omitempty"`
}

// entry is what the status says of one probe.
type entry struct {
	Outcome Outcome     `json:"outcome"`
	Reason  reason.Code `json:"reason,omitempty"`
	// Exec is the exec command. Cut says that it is not whole.
	Exec []string `json:"exec,omitempty"`
	Cut  bool     `json:"cut,omitempty"`
	// TimeoutSeconds is the exec probe's; NewTimeoutSeconds and GRPC are what
	// was written, for rewritten probes alone.
	TimeoutSeconds    int32              `json:"timeoutSeconds,omitempty"`
	NewTimeoutSeconds int32              `json:"newTimeoutSeconds,omitempty"`
	GRPC              *corev1.GRPCAction `json:"grpc,omitempty"`
}

// readStatus reads the status annotation. found says that there is one; what
// cannot be read counts as empty.
func readStatus(annotations map[string]string) (s status, found bool) {
	value, found := annotations[StatusAnnotation]
	if !found || json.Unmarshal([]byte(value), &s) != nil {
		return status{}, found
	}
	return s, true
}

// at returns the entry of a probe, or the zero entry.
func (s status) at(at site) entry { return s.Probes[at.container.Name][at.kind] }

// newEntry is the entry of a finding.
func newEntry(f *Finding) entry {
	e := entry{Outcome: f.Outcome, Reason: f.Reason}
	if f.Outcome != Rewritten {
		e.Exec, e.Cut = cut(f.Command)
		return e
	}
	e.Exec, e.TimeoutSeconds, e.GRPC = f.Command, f.TimeoutSeconds, f.GRPC
	if f.NewTimeoutSeconds != f.TimeoutSeconds {
		e.NewTimeoutSeconds = f.NewTimeoutSeconds
	}
	return e
}

// cut keeps the first maxSkippedCommand bytes of a command.
func cut(command []string) (kept []string, wasCut bool) {
	left := maxSkippedCommand
	for i, word := range command {
		if len(word) > left {
			return append(slices.Clone(command[:i]), string(bytes.ToValidUTF8([]byte(word[:left]), nil))), true
		}
		left -= len(word)
	}
	return command, false
}

// wrote says whether a probe is exactly what the entry says we wrote.
func (e entry) wrote(p *corev1.Probe) bool {
	return e.Outcome == Rewritten && e.GRPC != nil && len(e.Exec) > 0 && e.TimeoutSeconds >= 0 && p.GRPC != nil && handlers(p) == 1 &&
		sameGRPC(e.GRPC, p.GRPC) && p.TimeoutSeconds == e.written()
}

// besideExec says whether a probe has the grpc handler that the entry says we
// wrote, and an exec handler beside it.
func (e entry) besideExec(p *corev1.Probe) bool {
	return e.Outcome == Rewritten && e.GRPC != nil && p.Exec != nil && p.GRPC != nil && handlers(p) == 2 && sameGRPC(e.GRPC, p.GRPC)
}

// written is the timeoutSeconds that the entry says we left.
func (e entry) written() int32 {
	if e.NewTimeoutSeconds != 0 {
		return e.NewTimeoutSeconds
	}
	return e.TimeoutSeconds
}

func sameGRPC(a, b *corev1.GRPCAction) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return a.Port == b.Port && same(a.Service, b.Service) && same((*string)(a.Mode), (*string)(b.Mode))
}

// tells says whether the entry tells what the finding does, so that the finding
// is no news.
func (e entry) tells(f *Finding) bool {
	fresh := newEntry(f)
	sameCommand := e.Cut == fresh.Cut && slices.Equal(e.Exec, fresh.Exec)
	dropped := e.Cut && len(e.Exec) == 0
	return e.Outcome == fresh.Outcome && e.Reason == fresh.Reason && (sameCommand || dropped)
}

// newStatus writes the status of the verdicts. Where it is too large, skipped
// probes lose their command first, and then go. ok is false when what remains
// does not fit into limit bytes.
func newStatus(verdicts []verdict, limit int) (text string, ok bool) {
	keep := func(entry) bool { return true }
	whole := func(e entry) entry { return e }
	if text = encodeStatus(verdicts, whole, keep); len(text) <= limit {
		return text, true
	}
	bare := func(e entry) entry {
		if e.Outcome != Rewritten {
			e.Exec, e.Cut = nil, true
		}
		return e
	}
	if text = encodeStatus(verdicts, bare, keep); len(text) <= limit {
		return text, true
	}
	text = encodeStatus(verdicts, bare, func(e entry) bool { return e.Outcome == Rewritten })
	return text, len(text) <= limit
}

// encodeStatus writes the status with each entry as form makes it, where keep
// says so.
func encodeStatus(verdicts []verdict, form func(entry) entry, keep func(entry) bool) string {
	s := status{Probes: map[string]map[ProbeKind]entry{}}
	for _, v := range verdicts {
		if !keep(v.entry) {
			s.Dropped++
			continue
		}
		container := s.Probes[v.site.container.Name]
		if container == nil {
			container = map[ProbeKind]entry{}
			s.Probes[v.site.container.Name] = container
		}
		container[v.site.kind] = form(v.entry)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return "" // maps, strings and numbers: cannot happen; an empty status fails verify
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

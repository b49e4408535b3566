package admission

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// maxLogged is how many findings one log line holds.
const maxLogged = 50

// loggedFinding is a finding without anything that may be secret: no command,
// and nothing of the container's env.
type loggedFinding struct {
	Container string           `json:"container"`
	Probe     mutate.ProbeKind `json:"probe"`
	Outcome   mutate.Outcome   `json:"outcome"`
	Reason    reason.Code      `json:"reason,omitempty"`
	Detail    string           `json:"detail,omitempty"`
}

// logDecision writes the one line a request with news gets.
func (h *Handler) logDecision(request header, pod *corev1.Pod, decision mutate.Result, news []mutate.Finding) {
	if len(news) == 0 {
		return
	}
	var remarks []mutate.RemarkCode
	for _, r := range decision.Remarks {
		remarks = append(remarks, r.Code)
	}
	h.Log.Info("probes decided", "uid", request.UID, "namespace", request.Namespace, "name", podName(pod),
		"dryRun", request.DryRun, "patched", len(decision.Operations) > 0,
		"findings", loggedFindings(news), "more", max(0, len(news)-maxLogged), "remarks", remarks)
}

// podName is the Pod's name, or what the API server makes one of.
func podName(pod *corev1.Pod) string {
	name := pod.Name
	if name == "" {
		name = pod.GenerateName
	}
	return oneLine(name, 253)
}

func loggedFindings(findings []mutate.Finding) []loggedFinding {
	list := make([]loggedFinding, 0, min(len(findings), maxLogged))
	for _, f := range findings[:cap(list)] {
		list = append(list, loggedFinding{
			Container: oneLine(f.Container, 63), Probe: f.Probe, Outcome: f.Outcome,
			Reason: f.Reason, Detail: oneLine(f.Detail, 200),
		})
	}
	return list
}

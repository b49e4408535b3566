package verify

import (
	"fmt"
	"net"
	"strconv"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// Report is what verify writes as JSON and YAML.
type Report struct {
	// From is "node" or "here".
	From       string   `json:"from"`
	Results    []Result `json:"results"`
	Agree      int      `json:"agree"`
	Disagree   int      `json:"disagree"`
	CannotTell int      `json:"cannotTell"`
	// Skipped counts probes that stay exec, so that there is nothing to compare.
	Skipped int `json:"skipped"`
}

// Result is the comparison of one probe of one Pod.
type Result struct {
	Namespace string                `json:"namespace"`
	Pod       string                `json:"pod"`
	Node      string                `json:"node,omitempty"`
	Container string                `json:"container"`
	Kind      mutate.ProbeKind      `json:"probe"`
	Target    kubeletprobe.Target   `json:"target"`
	Answers   []kubeletprobe.Answer `json:"answers"`
	// Ready is the container's readiness after the probes.
	Ready   bool                   `json:"ready"`
	Verdict kubeletprobe.Agreement `json:"verdict"`
	Why     string                 `json:"why"`
}

// newReport judges all subjects.
func newReport(found *subjects, fromNode bool) Report {
	r := Report{From: "here", Results: []Result{}, Skipped: found.skipped}
	if fromNode {
		r.From = "node"
	}
	for _, s := range found.all {
		result := s.judge(fromNode)
		switch result.Verdict {
		case kubeletprobe.Agree:
			r.Agree++
		case kubeletprobe.Disagree:
			r.Disagree++
		default:
			r.CannotTell++
		}
		r.Results = append(r.Results, result)
	}
	return r
}

func (s *subject) judge(fromNode bool) Result {
	verdict, why := kubeletprobe.CannotTell, s.failed
	if s.failed == "" {
		verdict, why = kubeletprobe.Comparison{
			Kind: s.probe.Kind, Before: s.before, After: s.after, Answers: s.answers, FromNode: fromNode, Patience: s.patience,
		}.Judge()
	}
	return Result{
		Namespace: s.namespace, Pod: s.pod, Node: s.node, Container: s.probe.Container, Kind: s.probe.Kind,
		Target: s.target, Answers: s.answers, Ready: s.after.Ready, Verdict: verdict, Why: why,
	}
}

// show writes the report for people.
func show(s *screen.Screen, r Report, namespaces bool) {
	if len(r.Results) == 0 {
		s.Line(fmt.Sprintf("No running Pod has a probe that is, or would be, native. Left out because they stay exec: %d.", r.Skipped))
		return
	}
	columns := []screen.Column{
		{Title: "NAMESPACE"}, {Title: "POD"}, {Title: "CONTAINER"}, {Title: "PROBE"}, {Title: "TARGET"}, {Title: "READY"},
		{Title: "VERDICT", Style: verdictStyle}, {Title: "WHY", Below: true},
	}
	var rows [][]string
	for _, each := range r.Results {
		ready := "no"
		if each.Ready {
			ready = "yes"
		}
		target := net.JoinHostPort(each.Target.Address, strconv.Itoa(int(each.Target.Port)))
		if each.Target.Service != "" {
			target += "/" + each.Target.Service
		}
		rows = append(rows, []string{each.Namespace, each.Pod, each.Container, string(each.Kind), target, ready, string(each.Verdict), each.Why})
	}
	if !namespaces {
		columns = columns[1:]
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	s.Table(columns, rows)
	s.Line("")
	s.Line(fmt.Sprintf("%d agree, %d disagree, %d can't tell. Left out because they stay exec: %d.", r.Agree, r.Disagree, r.CannotTell, r.Skipped))
	if r.From == "here" && r.CannotTell > 0 {
		s.Wrapped("", "Silence shows nothing from here. With --from-node the probes come from where the kubelet's come from.")
	}
}

func verdictStyle(verdict string) screen.Style {
	switch kubeletprobe.Agreement(verdict) {
	case kubeletprobe.Agree:
		return screen.Green
	case kubeletprobe.Disagree:
		return screen.Red
	default:
		return screen.Yellow
	}
}

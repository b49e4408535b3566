package audit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/survey"
)

// What the column RESULT holds.
const (
	rewrite = "rewrite"
	native  = "native"
	left    = "left alone"
)

// show writes the report for people.
func show(s *screen.Screen, r survey.Report, namespaces bool) {
	if len(r.Workloads) == 0 {
		s.Line(fmt.Sprintf("No probe of grpc_health_probe in %s.", count(r.Pods, "Pod")))
		showNotRead(s, r.NotRead)
		return
	}
	showWorkloads(s, r.Workloads, namespaces)
	showNotRead(s, r.NotRead)
	for _, w := range r.Workloads {
		for _, remark := range w.Remarks {
			s.Styled(screen.Yellow, "Remark: ", w.Namespace+" "+w.String()+": "+remark)
		}
	}
	s.Line("")
	showTotals(s, r)
	showHolds(s, r.Workloads)
	showImages(s, r.Images)
	showCost(s, r.Cost)
}

func showWorkloads(s *screen.Screen, workloads []survey.Workload, namespaces bool) {
	columns := []screen.Column{
		{Title: "NAMESPACE"}, {Title: "WORKLOAD"}, {Title: "PODS", Right: true}, {Title: "CONTAINER"}, {Title: "PROBES"},
		{Title: "RESULT", Style: resultStyle}, {Title: "DETAIL", Below: true},
	}
	var rows [][]string
	for _, w := range workloads {
		for _, alike := range together(w.Probes) {
			p := alike[0]
			var kinds []string
			for _, each := range alike {
				kinds = append(kinds, string(each.Kind))
			}
			rows = append(rows, []string{
				w.Namespace, w.String(), strconv.Itoa(p.Pods), p.Container, strings.Join(kinds, ", "), result(p), detail(p),
			})
		}
	}
	if !namespaces {
		columns = columns[1:]
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	s.Table(columns, rows)
}

// together puts probes of one container together that come out the same.
func together(probes []survey.Probe) [][]survey.Probe {
	var all [][]survey.Probe
next:
	for _, p := range probes {
		for i := range all {
			if first := all[i][0]; first.Container == p.Container && first.Pods == p.Pods && result(first) == result(p) && detail(first) == detail(p) {
				all[i] = append(all[i], p)
				continue next
			}
		}
		all = append(all, []survey.Probe{p})
	}
	return all
}

func result(p survey.Probe) string {
	switch {
	case p.Outcome == mutate.Rewritten:
		return native
	case p.Outcome == mutate.WouldRewrite && p.Held == "":
		return rewrite
	}
	return left
}

func resultStyle(result string) screen.Style {
	switch result {
	case native:
		return screen.Green
	case rewrite:
		return screen.Bold
	}
	return screen.Yellow
}

// detail is what a probe becomes, or the code of what stops it.
func detail(p survey.Probe) string {
	switch {
	case p.Held != "" && p.Outcome != mutate.Rewritten:
		return string(p.Held)
	case p.GRPC == nil:
		text := string(p.Reason)
		if p.Detail != "" {
			text += " (" + p.Detail + ")"
		}
		return text
	}
	text := fmt.Sprintf("grpc port %d", p.GRPC.Port)
	if p.GRPC.Service != nil && *p.GRPC.Service != "" {
		text += ", service " + *p.GRPC.Service
	}
	if p.GRPC.Mode != nil {
		text += ", " + string(*p.GRPC.Mode)
	}
	if p.Outcome == mutate.WouldRewrite && p.NewTimeoutSeconds != p.TimeoutSeconds {
		text += fmt.Sprintf(", timeoutSeconds %d (was %d)", p.NewTimeoutSeconds, p.TimeoutSeconds)
	}
	return text
}

func showNotRead(s *screen.Screen, kinds []string) {
	if len(kinds) > 0 {
		s.Styled(screen.Yellow, "Missing: ", "workloads without Pods among "+strings.Join(kinds, ", ")+", which may not be listed.")
	}
}

func showTotals(s *screen.Screen, r survey.Report) {
	t := r.Totals
	s.Wrapped("", fmt.Sprintf("%s of %s, in %s looked at:", count(t.WouldRewrite+t.Rewritten+t.Skipped+t.Held, "probe"),
		count(t.Workloads, "workload"), count(r.Pods, "Pod")))
	for _, line := range []struct {
		n    int
		text string
	}{
		{t.WouldRewrite, "would be rewritten"},
		{t.Rewritten, "native already"},
		{t.Held, "not for the webhook to change"},
		{t.Skipped, "left alone"},
	} {
		if line.n > 0 {
			s.Line(fmt.Sprintf("%6d  %s", line.n, line.text))
		}
	}
	for _, each := range t.Reasons {
		showReason(s, each)
	}
}

func showReason(s *screen.Screen, r survey.ReasonTotal) {
	showWhy(s, r.Probes, string(r.Reason), r.Sentence, r.Remedy)
}

func showWhy(s *screen.Screen, n int, code, why, fix string) {
	s.Line("")
	s.Line(fmt.Sprintf("%6d  %s", n, s.Paint(screen.Yellow, code)))
	s.Wrapped("        why  ", why)
	if fix != "" {
		s.Wrapped("        fix  ", fix)
	}
}

// showHolds explains the holds that there are.
func showHolds(s *screen.Screen, workloads []survey.Workload) {
	counts := map[survey.Hold]int{}
	for _, w := range workloads {
		for _, p := range w.Probes {
			if p.Outcome != mutate.Rewritten {
				counts[p.Held]++
			}
		}
	}
	for _, hold := range survey.Holds() {
		if counts[hold] > 0 {
			showWhy(s, counts[hold], string(hold), hold.Sentence(), "")
		}
	}
}

func showImages(s *screen.Screen, images []survey.Image) {
	var rows [][]string
	for _, i := range images {
		why := "not needed once its probes are native"
		if !i.ForNothing {
			why = "needed for " + strings.Join(i.Needed, ", ")
		}
		rows = append(rows, []string{i.Image, strconv.Itoa(i.Pods), why})
	}
	s.Line("")
	s.Table([]screen.Column{{Title: "IMAGE"}, {Title: "PODS", Right: true}, {Title: "THE TOOL IN IT", Style: imageStyle, Below: true}}, rows)
}

func imageStyle(cell string) screen.Style {
	if strings.HasPrefix(cell, "not needed") {
		return screen.Green
	}
	return ""
}

func showCost(s *screen.Screen, c survey.Cost) {
	if c.ExecRuns == 0 {
		return
	}
	s.Line("")
	s.Wrapped("", fmt.Sprintf("The tool runs %s times a day and takes %s of the nodes' CPU. Native probes in place of %s of these runs would take %s less.",
		thousands(c.ExecRuns), cpuTime(c.ExecCPUSeconds), thousands(c.Rewritable), cpuTime(c.SavedCPUSeconds)))
	s.Wrapped("Assumed: ", c.Assumption+".")
}

// cpuTime is a time on one CPU, in the unit that suits it.
func cpuTime(seconds float64) string {
	switch {
	case seconds >= 3600:
		return fmt.Sprintf("%.1f hours", seconds/3600)
	case seconds >= 60:
		return fmt.Sprintf("%.1f minutes", seconds/60)
	}
	return fmt.Sprintf("%.1f seconds", seconds)
}

// thousands writes a number with commas.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(int64(n)) + " " + what + "s"
}

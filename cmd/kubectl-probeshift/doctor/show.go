package doctor

import (
	"fmt"
	"strings"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/doctor"
)

// nameWidth is the width of the checks' names, in columns.
const nameWidth = 17

// show writes the results for people: the verdict first, then what was found and
// what to do. What a check looked at is told where something is wrong.
func show(s *screen.Screen, report Report) {
	counts := map[doctor.Verdict]int{}
	idle := idleLB(report.Checks)
	for i := range report.Checks {
		r := &report.Checks[i]
		counts[r.Verdict]++
		switch {
		case idle == 0 || !isLB(r):
			showResult(s, r)
		case i == 0 || !isLB(&report.Checks[i-1]):
			// One line for all of them, which stand together.
			showResult(s, &doctor.Result{
				Check: lbPrefix + "*", Verdict: doctor.OK, Found: []string{fmt.Sprintf("No Pod asks for load balancing (%s).", checks(idle))},
			})
		}
	}
	s.Line("")
	s.Line(fmt.Sprintf("%d ok, %d failed, %d can't tell.", counts[doctor.OK], counts[doctor.Failed], counts[doctor.CannotTell]))
	s.Line("")
	s.Line("What no check can see, and a label on a namespace accepts:")
	for _, limit := range report.Limits {
		s.Wrapped("  - ", limit)
	}
}

// lbPrefix is what the names of the checks about load balancing begin with.
const lbPrefix = "lb-"

func isLB(r *doctor.Result) bool { return strings.HasPrefix(r.Check, lbPrefix) }

// idleLB is how many checks are about load balancing where none of them has
// anything to look at, else 0.
func idleLB(results []doctor.Result) int {
	n := 0
	for i := range results {
		if !isLB(&results[i]) {
			continue
		}
		if !results[i].Unused {
			return 0
		}
		n++
	}
	return n
}

func showResult(s *screen.Screen, r *doctor.Result) {
	label := fmt.Sprintf("%-10s  %-*s ", r.Verdict, nameWidth, r.Check)
	if r.Verdict == doctor.OK {
		for _, text := range r.Found {
			s.Styled(screen.Green, label, text)
			label = strings.Repeat(" ", len(label))
		}
		return
	}
	const indent = "            "
	s.Line(s.Paint(verdictStyle(r.Verdict), strings.TrimRight(label, " ")))
	s.Styled(screen.Faint, indent, "Looked at "+r.LookedAt+".")
	for _, text := range r.Found {
		s.Wrapped(indent, text)
	}
	for _, remedy := range r.Remedy {
		s.Styled(screen.Bold, indent+"fix  ", remedy)
	}
	if r.Apply != "" {
		s.Line(indent + "apply")
		for line := range strings.Lines(r.Apply) {
			s.Line("    " + strings.TrimRight(line, "\n"))
		}
	}
}

func verdictStyle(v doctor.Verdict) screen.Style {
	switch v {
	case doctor.OK:
		return screen.Green
	case doctor.Failed:
		return screen.Red
	default:
		return screen.Yellow
	}
}

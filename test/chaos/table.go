package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/probeshift/probeshift/test/chaos/podload"
)

// informed is how long after the repair of a caBundle the API server's own
// watch may take to see it.
const informed = time.Second

// row is a line of the table: one event, all rounds together.
type row struct {
	event  event
	rounds []round
}

// round is what was counted during one event.
type round struct {
	podload.Counts
	seen
	reasons []string
}

// add adds a round.
func (r *row) add(counts podload.Counts, saw seen, reasons []string) {
	r.rounds = append(r.rounds, round{counts, saw, reasons})
}

// sum is all rounds together.
func (r *row) sum() podload.Counts {
	var sum podload.Counts
	for _, one := range r.rounds {
		sum = sum.Plus(one.Counts)
	}
	return sum
}

// last describes the last round in a line.
func (r *row) last() string {
	one := r.rounds[len(r.rounds)-1]
	words := fmt.Sprintf("%d Pods, %d legacy, %d refused, %d unmutated, %s",
		one.Pods, one.Legacy, len(one.Refused), len(one.Unmutated), one.took.Round(time.Millisecond))
	return strings.Join(append([]string{words}, one.reasons...), "; ")
}

// late counts the Pods that were missed although the caBundle was repaired.
func (o round) late() int {
	n := 0
	for _, miss := range o.Unmutated {
		if miss.Begin.After(o.repaired.Add(informed)) {
			n++
		}
	}
	return n
}

// broken says what must hold and did not, one line each.
func (r *row) broken() []string {
	var all []string
	for i, one := range r.rounds {
		add := func(n int, what string) {
			if n > 0 {
				all = append(all, fmt.Sprintf("%s, round %d: %d %s", r.event.name, i+1, n, what))
			}
		}
		add(len(one.Refused), "Pods refused, the first at "+first(one.Refused))
		if !r.event.away {
			add(one.Retried, "attempts failed although the API server was there, the last: "+one.Unreachable)
		}
		switch r.event.must {
		case nothingMissed:
			add(len(one.Unmutated), "legacy Pods unmutated; "+strings.Join(one.reasons, "; "))
		case nothingMissedAfterRepair:
			add(one.late(), "legacy Pods unmutated after the repair; "+strings.Join(one.reasons, "; "))
		case report:
		}
	}
	return all
}

// verdict is an error that lists everything that must hold and did not.
func verdict(rows []*row) error {
	var problems []error
	for _, r := range rows {
		for _, problem := range r.broken() {
			problems = append(problems, errors.New(problem))
		}
	}
	return errors.Join(problems...)
}

// printTable prints what came of everything.
func printTable(out io.Writer, rows []*row, took time.Duration) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out)
	fmt.Fprintln(table, "while\ttimes\tPods\tdry run\tlegacy\trefused\tunmutated\tmust be\tin order after")
	total := podload.Counts{}
	for _, r := range rows {
		sum := r.sum()
		total = total.Plus(sum)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", r.event.name, len(r.rounds),
			sum.Pods, sum.DryRun, sum.Legacy, len(sum.Refused), len(sum.Unmutated), r.event.must, r.times())
	}
	fmt.Fprintf(table, "all\t\t%d\t%d\t%d\t%d\t%d\t\t\n", total.Pods, total.DryRun, total.Legacy, len(total.Refused), len(total.Unmutated))
	table.Flush() //nolint:errcheck // a screen that is gone is not ours to mend
	fmt.Fprintf(out, "\n%d clients, %d Pods in %s, %.0f a second\n", clients, total.Pods, took.Round(time.Second), float64(total.Pods)/took.Seconds())
	fmt.Fprintf(out, "%d attempts while the API server was away were made again\n", total.Retried)
	fmt.Fprintln(out, "reported: a call that was on its way to a replica that died, hung or had too much to do fails after 2 s at most, and failurePolicy Ignore creates that Pod as it was written")
	for _, r := range rows {
		for i, one := range r.rounds {
			if len(one.reasons) > 0 {
				fmt.Fprintf(out, "%s, round %d, why the API server went on without the webhook: %s\n", r.event.name, i+1, strings.Join(one.reasons, "; "))
			}
		}
	}
}

// times are how long the rounds took.
func (r *row) times() string {
	var all []string
	for _, one := range r.rounds {
		if one.took == 0 {
			continue
		}
		if one.took < time.Second {
			all = append(all, one.took.Round(time.Millisecond).String())
			continue
		}
		all = append(all, fmt.Sprintf("%.1fs", one.took.Seconds()))
	}
	return strings.Join(all, " ")
}

// String is the column "must be" of the table.
func (m must) String() string {
	switch m {
	case nothingMissed:
		return "0"
	case nothingMissedAfterRepair:
		return "0 after repair"
	case report:
		return "reported"
	default:
		return fmt.Sprintf("must(%d)", int(m))
	}
}

// first is the first of a list, if there is one.
func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

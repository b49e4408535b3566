package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// table is what is printed.
type table struct {
	rows []row
	// wrong are what must be so and was not.
	wrong []error
}

// row is a line: what was measured, what came of it, and what it should be.
type row struct{ what, figure, target, verdict string }

// add adds a figure without a target.
func (t *table) add(what, figure string, args ...any) {
	t.rows = append(t.rows, row{what: what, figure: fmt.Sprintf(figure, args...)})
}

// hold adds a figure that has a target.
func (t *table) hold(what string, met bool, target, figure string, args ...any) {
	verdict := "met"
	if !met {
		verdict = "ABOVE TARGET"
	}
	t.rows = append(t.rows, row{what, fmt.Sprintf(figure, args...), target, verdict})
}

// must adds something that must be so.
func (t *table) must(what string, err error) {
	if err == nil {
		t.rows = append(t.rows, row{what, "so", "must be", "right"})
		return
	}
	t.rows = append(t.rows, row{what, "NOT SO", "must be", "WRONG"})
	t.wrong = append(t.wrong, fmt.Errorf("%s: %w", what, err))
}

func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nwhat\tfigure\ttarget\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.figure, r.target, r.verdict)
	}
	return w.Flush()
}

// verdict is an error that lists what must be so and was not.
func (t *table) verdict() error { return errors.Join(t.wrong...) }

// quantile is the value below which that part of all values lies.
func quantile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// latency are the usual quantiles in words.
func latency(all []time.Duration) string {
	in := func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
	return fmt.Sprintf("p50 %s, p99 %s, most %s", in(quantile(all, .5)), in(quantile(all, .99)), in(quantile(all, 1)))
}

// mebibytes is a size in words.
func mebibytes(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

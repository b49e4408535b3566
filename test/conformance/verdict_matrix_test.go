package conformance

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// matrix counts verdicts by the servers that they are about.
type matrix struct {
	rows []*matrixRow
	// said counts verdicts that differ, and at tells at which servers they do.
	said   map[disagreement]int
	at     map[disagreement]map[string]bool
	remark string
}

type matrixRow struct {
	server                         string
	tried, native                  int
	pass, fail, named, differences int
}

// disagreement is why the verdicts of two probes differ.
type disagreement struct{ passes, why string }

func newMatrix() *matrix {
	m := &matrix{said: map[disagreement]int{}, at: map[disagreement]map[string]bool{}}
	for _, s := range states() {
		m.rows = append(m.rows, &matrixRow{server: s.name})
	}
	return m
}

// add counts a cell.
func (m *matrix) add(c cell, o outcome) {
	row := m.rows[slices.IndexFunc(m.rows, func(r *matrixRow) bool { return r.server == c.state.name })]
	row.tried++
	if o.finding.GRPC != nil {
		row.native++
	}
	kind, why := c.judge(o)
	switch kind {
	case bothPass:
		row.pass++
		return
	case bothFail:
		row.fail++
		return
	case different:
		row.differences++
		return
	case prevented:
		why = "not rewritten: " + why
	case lost, gained:
		why = "rewritten: " + why
	}
	d := disagreement{"exec alone", why}
	if o.native.pass {
		d.passes = "native alone"
	}
	row.named++
	m.said[d]++
	if m.at[d] == nil {
		m.at[d] = map[string]bool{}
	}
	m.at[d][c.state.name] = true
}

// disagreements are all that were found, in order.
func (m *matrix) disagreements() []disagreement {
	return slices.SortedFunc(maps.Keys(m.said), func(a, b disagreement) int {
		return cmp.Or(cmp.Compare(a.passes, b.passes), cmp.Compare(a.why, b.why))
	})
}

// found says whether a reason for differing verdicts was seen.
func (m *matrix) found(why string) bool {
	return slices.ContainsFunc(m.disagreements(), func(d disagreement) bool { return d.why == "rewritten: "+why })
}

// matrices collects what is printed in the end.
type matrices struct {
	mu  sync.Mutex
	all []*matrix
}

var verdicts matrices

func (v *matrices) add(m *matrix) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, m)
	total := count{what: "verdicts of the kubelet's probers"}
	for _, row := range m.rows {
		total.tried += row.tried
		total.native += row.native
		total.differences += row.differences
	}
	total.refused = total.tried - total.native
	totals.add(total)
}

func (v *matrices) print(out io.Writer) {
	for _, m := range v.all {
		fmt.Fprintln(out, "\nThe exec probe's verdict beside the native one's, by server")
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SERVER\tTRIED\tREWRITTEN\tBOTH PASS\tBOTH FAIL\tDIFFERENCES\tNAMED")
		for _, r := range m.rows {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", r.server, r.tried, r.native, r.pass, r.fail, r.differences, r.named)
		}
		_ = table.Flush()
		fmt.Fprintln(out, "\nWhere they differ (NAMED), and why that is so")
		fmt.Fprintln(table, "PASSES\tBECAUSE\tVERDICTS\tSERVERS")
		for _, d := range m.disagreements() {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", d.passes, d.why, m.said[d], len(m.at[d]))
		}
		_ = table.Flush()
		if m.remark != "" {
			fmt.Fprintln(out, strings.ToUpper(m.remark[:1])+m.remark[1:]+".")
		}
	}
}

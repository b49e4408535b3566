package survey

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// workload is a Workload while Pods are added.
type workload struct {
	pods    int
	probes  map[string]*Probe
	remarks map[string]bool
}

func (w *workload) addRemarks(remarks []mutate.Remark) {
	for _, r := range remarks {
		w.remarks[r.Text] = true
	}
}

// add counts a probe of one Pod together with those that are alike.
func (w *workload) add(p Probe) {
	key := alike(&p)
	if there := w.probes[key]; there != nil {
		there.Pods += p.Pods
		return
	}
	w.probes[key] = &p
}

// alike is the same for probes that are alike: all but how many Pods have them.
func alike(p *Probe) string {
	// The command of a Pod of the same template is the same.
	key, err := json.Marshal([]any{p.Container, p.Kind, p.Outcome, p.Reason, p.Detail, p.Held, p.GRPC, p.TimeoutSeconds, p.NewTimeoutSeconds, p.Command})
	if err != nil {
		return p.Container + "/" + string(p.Kind) // strings and numbers: cannot happen
	}
	return string(key)
}

// Report is what was found so far.
func (s *Survey) Report() Report {
	r := Report{Pods: s.pods, Workloads: []Workload{}, Images: s.imageList(), Cost: s.runs.cost()}
	for owner, w := range s.workloads {
		probes := make([]Probe, 0, len(w.probes))
		for _, p := range w.probes {
			probes = append(probes, *p)
		}
		slices.SortFunc(probes, compareProbes)
		r.Workloads = append(r.Workloads, Workload{Owner: owner, Pods: w.pods, Probes: probes, Remarks: slices.Sorted(maps.Keys(w.remarks))})
	}
	slices.SortFunc(r.Workloads, func(a, b Workload) int { return a.Compare(b.Owner) })
	r.Totals = totals(r.Workloads)
	return r
}

// kinds is the order in which probes are shown.
var kinds = []mutate.ProbeKind{mutate.Liveness, mutate.Readiness, mutate.Startup}

func compareProbes(a, b Probe) int {
	return cmp.Or(cmp.Compare(a.Container, b.Container),
		cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(b.Pods, a.Pods), cmp.Compare(alike(&a), alike(&b)))
}

// totals counts the probes.
func totals(workloads []Workload) Totals {
	t := Totals{Workloads: len(workloads), Reasons: []ReasonTotal{}}
	reasons := map[reason.Code]int{}
	for i := range workloads {
		for _, p := range workloads[i].Probes {
			switch {
			case p.Outcome == mutate.Rewritten:
				t.Rewritten++
			case p.Held != "":
				t.Held++
			case p.Outcome == mutate.WouldRewrite:
				t.WouldRewrite++
			default:
				t.Skipped++
				reasons[p.Reason]++
			}
		}
	}
	for _, entry := range reason.All() {
		if n := reasons[entry.Code]; n > 0 {
			t.Reasons = append(t.Reasons, ReasonTotal{entry.Code, n, entry.Sentence, entry.Remedy})
		}
	}
	return t
}

package manifest

import (
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// rewrite is a probe that is to become native.
type rewrite struct {
	decision
	// finding is what is told of it.
	finding *Finding
}

// at is a pair of the text that an edit changes, and to what.
type at struct {
	owner *yaml.Node
	index int
}

// want is what the users of a pair want of it.
type want struct {
	text  string
	count int
	same  bool
}

// plan returns the edits of a document for the rewrites, and tells those that
// cannot be made. The changes are what the edits should do.
func (d *document) plan(rewrites []*rewrite) ([]edit, *changes, error) {
	for {
		edits, left, err := d.try(rewrites)
		if err != nil {
			return nil, nil, err
		}
		if left == nil {
			if len(edits) == 0 {
				return nil, nil, nil
			}
			return edits, changesOf(rewrites), nil
		}
		left.finding.skip(SharedBlock, "")
		rewrites = without(rewrites, left)
	}
}

func without(rewrites []*rewrite, one *rewrite) []*rewrite {
	var rest []*rewrite
	for _, r := range rewrites {
		if r != one {
			rest = append(rest, r)
		}
	}
	return rest
}

func changesOf(rewrites []*rewrite) *changes {
	all := &changes{}
	for _, r := range rewrites {
		all.add(r.site.path, &change{grpc: r.decision.finding.GRPC, timeout: r.newTimeout()})
	}
	return all
}

// newTimeout is the timeout as it is to be written, "" when it stays.
func (r *rewrite) newTimeout() string {
	if r.site.timeout == nil || r.decision.finding.NewTimeoutSeconds == r.decision.finding.TimeoutSeconds {
		return ""
	}
	return strconv.Itoa(int(r.decision.finding.NewTimeoutSeconds))
}

// wants are the pairs of the text that the rewrite would change in place.
func (r *rewrite) wants() map[at]string {
	w := map[at]string{
		{r.site.exec.owner, r.site.exec.index}: style{}.flow(nativePairs(r.decision.finding.GRPC, style{}, comments{})),
	}
	if timeout := r.newTimeout(); timeout != "" {
		w[at{r.site.timeout.owner, r.site.timeout.index}] = timeout
	}
	return w
}

// try makes the edits, or returns a rewrite that has to be left.
func (d *document) try(rewrites []*rewrite) (edits []edit, left *rewrite, err error) {
	wants := wantsOf(rewrites)
	a := attempt{document: d, made: map[at]bool{}}
	writtenOut := map[at]int{}
	var last []*rewrite
	for _, r := range rewrites {
		if d.agreed(r, wants) {
			if err := a.inPlace(r); err != nil {
				return nil, nil, err
			}
			continue
		}
		written, err := d.writeOut(r)
		if errors.Is(err, errNoPlace) {
			last = append(last, r)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		a.edits = append(a.edits, written...)
		for pair := range r.wants() {
			writtenOut[pair]++
		}
	}
	for _, r := range last { // where the anchor stands: free once all others are written out
		for pair := range r.wants() {
			if d.reachOf(pair) != writtenOut[pair]+1 {
				return nil, r, nil
			}
		}
		if err := a.inPlace(r); err != nil {
			return nil, nil, err
		}
	}
	orphaned, err := d.orphans(a.edits)
	if orphaned {
		return nil, rewrites[0], err
	}
	return a.edits, nil, err
}

// wantsOf is what all rewrites want of the pairs that they would change.
func wantsOf(rewrites []*rewrite) map[at]*want {
	wants := map[at]*want{}
	for _, r := range rewrites {
		for pair, text := range r.wants() {
			w := wants[pair]
			if w == nil {
				w = &want{text: text, same: true}
				wants[pair] = w
			}
			w.count++
			w.same = w.same && w.text == text
		}
	}
	return wants
}

// agreed says whether all users of the pairs that a rewrite changes want the
// same.
func (d *document) agreed(r *rewrite, wants map[at]*want) bool {
	for pair := range r.wants() {
		if w := wants[pair]; !w.same || w.count != d.reachOf(pair) {
			return false
		}
	}
	return true
}

// attempt collects the edits of a document. What several users share is edited
// once.
type attempt struct {
	*document
	edits []edit
	made  map[at]bool
}

// inPlace adds the edits of a rewrite where its pairs stand.
func (a *attempt) inPlace(r *rewrite) error {
	exec := at{r.site.exec.owner, r.site.exec.index}
	if !a.made[exec] {
		a.made[exec] = true
		step := stepOf(r.site.exec.owner, r.site.inContainer.owner)
		more, err := a.text.replaceExec(r.site.exec, r.decision.finding.GRPC, step)
		if err != nil {
			return err
		}
		a.edits = append(a.edits, more...)
	}
	if r.newTimeout() == "" {
		return nil
	}
	timeout := at{r.site.timeout.owner, r.site.timeout.index}
	if a.made[timeout] {
		return nil
	}
	a.made[timeout] = true
	e, err := a.text.replaceScalar(*r.site.timeout, r.decision.finding.NewTimeoutSeconds)
	a.edits = append(a.edits, e)
	return err
}

// edited says whether a finding's edit is to be made.
func edited(f *Finding) bool { return f.Outcome == mutate.Rewritten }

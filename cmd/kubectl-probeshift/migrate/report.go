package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// report tells what became of the files: at once where people read, at the end
// where programs do.
type report struct {
	run *run
	// screen is where findings are told: stderr where stdout holds a diff or a
	// manifest.
	screen *screen.Screen
	errs   []error
	// unread counts the files that are no text, or of which a part does not parse.
	unread int

	Files  []fileReport `json:"files"`
	Totals totals       `json:"totals"`
}

// fileReport is what -o json and yaml hold of a file with findings or problems.
type fileReport struct {
	Path     string             `json:"path"`
	Changed  bool               `json:"changed"`
	Written  bool               `json:"written,omitempty"`
	Error    string             `json:"error,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
	Findings []manifest.Finding `json:"findings,omitempty"`
	Diff     string             `json:"diff,omitempty"`
}

// totals counts probes and files; Untouched are texts in which no probe could be
// read, Changed files that would change or, with --write, have changed, and Failed
// those with an error.
type totals struct {
	Files        int `json:"files"`
	Changed      int `json:"changed"`
	Failed       int `json:"failed"`
	Rewritten    int `json:"rewritten"`
	WouldRewrite int `json:"wouldRewrite"`
	Skipped      int `json:"skipped"`
	Untouched    int `json:"untouched"`
}

func newReport(r *run) *report {
	out := r.streams.Out
	if r.mode == show || slices.Contains(r.filenames, stdin) && r.mode == write {
		out = r.streams.ErrOut
	}
	return &report{run: r, screen: screen.New(out, r.getenv), Files: []fileReport{}}
}

// add takes a file in.
func (p *report) add(e edited) {
	p.Totals.Files++
	if e.written || e.Changed && p.run.mode != write {
		p.Totals.Changed++
	}
	if e.err != nil {
		p.Totals.Failed++
		p.errs = append(p.errs, e.err)
	}
	p.count(e)
	if p.run.mode == write && e.real == stdin && !e.Changed && e.err == nil {
		p.errs = append(p.errs, p.passThrough(e)...)
	}
	if !p.run.format.Table() {
		p.keep(e)
		return
	}
	if p.run.mode == show && e.Changed {
		if _, err := io.WriteString(p.run.streams.Out, p.run.diffs.of(e)); err != nil {
			p.errs = append(p.errs, fmt.Errorf("write the diff of %s: %w", shownPath(e.path), err))
		}
	}
	for _, f := range e.Findings {
		p.finding(shownPath(e.path), f)
	}
	for _, note := range e.notes {
		p.screen.Wrapped("", shownPath(e.path)+": note: "+note)
	}
}

// passThrough writes stdin out as it came, when migrate is a filter.
func (p *report) passThrough(e edited) []error {
	if _, err := p.run.streams.Out.Write(e.input); err != nil {
		return []error{err}
	}
	return nil
}

func (p *report) count(e edited) {
	if slices.ContainsFunc(e.Findings, func(f manifest.Finding) bool {
		return f.Reason == manifest.NotParsed || f.Reason == manifest.NotUTF8
	}) {
		p.unread++
	}
	for _, f := range e.Findings {
		switch {
		case f.Outcome == mutate.Rewritten:
			p.Totals.Rewritten++
		case f.Outcome == mutate.WouldRewrite:
			p.Totals.WouldRewrite++
		case f.Probe == "":
			p.Totals.Untouched++
		default:
			p.Totals.Skipped++
		}
	}
}

// keep keeps a file for the end, without its content.
func (p *report) keep(e edited) {
	if len(e.Findings) == 0 && e.err == nil {
		return
	}
	f := fileReport{Path: shownPath(e.path), Changed: e.Changed, Written: e.written, Notes: e.notes, Findings: e.Findings}
	if e.err != nil {
		f.Error = e.err.Error()
	}
	if p.run.mode == show && e.Changed {
		f.Diff = p.run.diffs.of(e)
	}
	p.Files = append(p.Files, f)
}

// finding tells one finding: where, what, why, and what helps.
func (p *report) finding(path string, f manifest.Finding) {
	place := path
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", path, f.Line, cmp.Or(f.Column, 1))
	}
	style, verdict := screen.Yellow, string(f.Reason)
	switch f.Outcome {
	case mutate.Rewritten:
		style, verdict = screen.Green, "rewritten"
	case mutate.WouldRewrite:
		style, verdict = screen.Green, "would rewrite"
	default: // the reason says it
	}
	text := f.Sentence
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	if f.NewTimeoutSeconds != f.TimeoutSeconds && f.NewTimeoutSeconds != 0 {
		text += fmt.Sprintf(" timeoutSeconds %d, was %d.", f.NewTimeoutSeconds, f.TimeoutSeconds)
	}
	subject := subjectOf(f)
	p.screen.Line(p.screen.Paint(screen.Bold, place+":") + subject + " " + p.screen.Paint(style, verdict))
	p.screen.Wrapped("    ", text)
	if f.Remedy != "" {
		p.screen.Styled(screen.Faint, "    fix: ", f.Remedy)
	}
	if f.Suggestion != "" {
		p.screen.Styled(screen.Faint, "    suggested:", "")
		for line := range strings.Lines(f.Suggestion) {
			p.screen.Line("      | " + strings.TrimRight(line, "\n"))
		}
	}
	for _, remark := range f.Remarks {
		p.screen.Styled(screen.Faint, "    note: ", remark)
	}
}

// subjectOf names the object and the probe, with a blank in front.
func subjectOf(f manifest.Finding) string {
	text := ""
	if f.Kind != "" {
		text = " " + f.Kind
		if f.Name != "" {
			text += "/" + f.Name
		}
	}
	if f.Container != "" {
		text += " " + f.Container
	}
	if f.Probe != "" {
		text += " " + string(f.Probe)
	}
	return text
}

// finish tells the sums, and returns what went wrong.
func (p *report) finish() error {
	if note := p.run.diffs.note(); note != "" && p.Totals.Changed > 0 {
		screen.New(p.run.streams.ErrOut, p.run.getenv).Wrapped("note: ", note)
	}
	if !p.run.format.Table() {
		out := p.run.streams.Out
		if slices.Contains(p.run.filenames, stdin) && p.run.mode == write {
			out = p.run.streams.ErrOut
		}
		return errors.Join(append(p.errs, p.run.format.Write(out, p))...)
	}
	p.screen.Wrapped("", p.Totals.sentence(p.run.mode))
	return errors.Join(p.errs...)
}

// sentence is the last line of the output.
func (t totals) sentence(m mode) string {
	text := count(t.WouldRewrite, "probe") + " would be rewritten"
	if m == write {
		text = count(t.Rewritten, "probe") + " rewritten"
	}
	text += fmt.Sprintf(" in %d of %s, %d left as they are", t.Changed, count(t.Files, "file"), t.Skipped)
	if t.Untouched > 0 {
		text += ", " + count(t.Untouched, "place") + " to look at by hand"
	}
	if t.Failed > 0 {
		text += ", " + count(t.Failed, "file") + " failed"
	}
	return text + "."
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

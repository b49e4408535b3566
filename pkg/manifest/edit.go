package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// Options say what is looked for in a file, and what is allowed.
type Options struct {
	// Policy is what the operator allows; Audit counts as false.
	Policy mutate.Policy
	// Paths are further places of Pod templates. One that names a kind replaces
	// what is known of that kind.
	Paths []Path
	// Patch says that the file is a kustomize patch, so that parts of its objects
	// stand in other files.
	Patch bool
	// Template says that the file is a template by its name, whatever it looks like.
	Template bool
	// Held are probes that stay because a kustomization writes to them.
	Held []Held
}

// Result is what became of a file.
type Result struct {
	// Content is the file as it should be: the very bytes that went in when
	// nothing changes.
	Content []byte
	// Changed says that Content differs from what went in.
	Changed bool
	// Findings are in the order of the file.
	Findings []Finding
}

// Edit rewrites the exec probes of a file. What it cannot read it leaves alone
// and tells in a finding. An error says that the edit of a document did something
// else than was decided; then nothing is changed, and the fault is ours.
func Edit(content []byte, options Options) (Result, error) {
	result := Result{Content: content}
	if !mentions(content, options.Policy.ToolNames) {
		if isUTF16(content, options.Policy.ToolNames) {
			result.Findings = append(result.Findings, about(0, 0, NotUTF8, "UTF-16"))
		}
		return result, nil
	}
	if !utf8.Valid(content) {
		result.Findings = append(result.Findings, about(0, 0, NotUTF8, ""))
		return result, nil
	}
	body := bytes.TrimPrefix(content, []byte("\ufeff"))
	mark := len(content) - len(body)
	var edits []edit
	for _, p := range partsOf(body, options) {
		if !mentions(p.src, options.Policy.ToolNames) {
			continue
		}
		e, err := editPart(p, options)
		if err != nil {
			return Result{Content: content, Findings: result.Findings}, err
		}
		result.Findings = append(result.Findings, e.findings...)
		for i := range e.edits {
			e.edits[i].from += mark + p.offset
			e.edits[i].to += mark + p.offset
		}
		edits = append(edits, e.edits...)
	}
	if len(edits) > 0 {
		result.Content, result.Changed = apply(content, edits), true
	}
	return result, nil
}

// edited is what becomes of a part of a file.
type editedPart struct {
	findings []Finding
	edits    []edit
}

// editPart rewrites the documents of a part and compares the outcome.
func editPart(p part, options Options) (editedPart, error) {
	if p.inTemplate {
		return editedPart{findings: p.suggestions(options)}, nil
	}
	documents, err := parse(p.src)
	if err != nil {
		return editedPart{findings: unparsed(p, err, options)}, nil
	}
	var e editedPart
	t := newText(p.src)
	wanted := make([]*changes, len(documents))
	for i, root := range documents {
		d := newDocument(t, root)
		found, rewrites := d.judge(p, options)
		edits, changed, err := d.plan(rewrites)
		if lost, is := errors.AsType[lostError](err); is {
			edits, changed, err = nil, nil, nil
			for _, r := range rewrites {
				r.finding.skip(UnusualText, fmt.Sprintf("line %d", lost.line+p.line))
			}
		}
		if err != nil {
			return editedPart{}, err
		}
		wanted[i] = changed
		e.edits = append(e.edits, edits...)
		for _, f := range found {
			e.findings = append(e.findings, *f)
		}
	}
	slices.SortStableFunc(e.findings, func(a, b Finding) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	for i := range e.findings {
		if e.findings[i].Line > 0 {
			e.findings[i].Line += p.line
		}
	}
	if len(e.edits) == 0 {
		return e, nil
	}
	after, err := parse(apply(p.src, e.edits))
	if err == nil {
		err = compare(documents, after, wanted)
	}
	if err != nil {
		return editedPart{}, fmt.Errorf("the edit did not pass its own check, so nothing was changed: %w", err)
	}
	return e, nil
}

// judge finds the probes of a document and decides about them.
func (d *document) judge(p part, options Options) (found []*Finding, rewrites []*rewrite) {
	for _, o := range objects(d.root) {
		paths, known := o.templatePaths(options.Paths)
		templates := o.templates(paths)
		for _, t := range templates {
			more, changes := d.judgeTemplate(t, p, options)
			found, rewrites = append(found, more...), append(rewrites, changes...)
		}
		found = append(found, d.elsewhere(o, known, templates, options)...)
	}
	if len(d.root.Content) > 0 && target(d.root.Content[0]).Kind == yaml.SequenceNode {
		found = append(found, d.operations(options)...)
	}
	return found, rewrites
}

// judgeTemplate decides about the probes of one Pod template.
func (d *document) judgeTemplate(t template, p part, options Options) (found []*Finding, rewrites []*rewrite) {
	if !d.holdsTool(t.node, options) {
		return nil, nil
	}
	pod, err := d.decode(t)
	if findings, is := d.unrendered(t, p, err, options); is {
		return pointers(findings), nil
	}
	if err != nil {
		f := undecoded(t, err)
		return []*Finding{&f}, nil
	}
	decisions, remarks := decide(pod, t, options.Policy)
	for _, each := range decisions {
		f := newFinding(t.object, each.finding)
		f.Line, f.Column = each.site.place().Line, each.site.place().Column
		options.hold(&f)
		if _, beside := find(each.site.mapping(), "grpc"); beside && edited(&f) { // it is null: the edit would write the key twice
			f.skip(reason.InvalidProbe, "there is a grpc without a value")
		}
		found = append(found, &f)
		if edited(&f) {
			rewrites = append(rewrites, &rewrite{decision: each, finding: &f})
		}
	}
	for _, r := range remarks {
		if len(found) > 0 && (r.Code != mutate.BarePodRewritten || len(rewrites) > 0) {
			found[0].Remarks = append(found[0].Remarks, remarkOf(r))
		}
	}
	return found, rewrites
}

// remarkOf is the text of a remark about a Pod, as it is true for a manifest.
func remarkOf(r mutate.Remark) string {
	if r.Code == mutate.BarePodRewritten {
		return "no controller owns this Pod: if it runs, delete it before the manifest is applied, since the probes of a Pod cannot change"
	}
	return r.Text
}

// hold leaves a probe that mutate would rewrite, for reasons that only manifests
// have.
func (o Options) hold(f *Finding) {
	if o.Patch && (edited(f) || f.Reason == reason.PortNotDeclared) {
		f.skip(KustomizePatch, "")
	}
	for _, h := range o.Held {
		if edited(f) && h.holds(*f) {
			f.skip(Patched, h.By)
		}
	}
	if f.Outcome == mutate.WouldRewrite {
		f.skip(AuditOnly, "")
	}
}

// holdsTool says whether a name of the tool stands in a scalar of a node.
func (d *document) holdsTool(n *yaml.Node, options Options) bool {
	found := false
	visited := map[*yaml.Node]bool{}
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			if visited[n.Alias] {
				return
			}
			visited[n.Alias] = true
			n = n.Alias
		}
		if found || n.Kind == yaml.ScalarNode {
			found = found || mentions([]byte(n.Value), options.Policy.ToolNames)
			return
		}
		for _, c := range n.Content {
			visit(c)
		}
	}
	visit(n)
	return found
}

// shorten makes the text of a library's error fit for one line.
func shorten(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

func pointers(findings []Finding) []*Finding {
	var all []*Finding
	for i := range findings {
		all = append(all, &findings[i])
	}
	return all
}

// isUTF16 says whether a text is UTF-16 that holds a name of the tool.
func isUTF16(content []byte, toolNames []string) bool {
	if bytes.IndexByte(content[:min(len(content), 64)], 0) < 0 { // every other byte of ASCII is 0
		return false
	}
	return mentions(bytes.ReplaceAll(content, []byte{0}, nil), toolNames)
}

package manifest

import (
	"bytes"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// Probe is an exec probe of the tool in a file, with all that was judged.
type Probe struct {
	Finding Finding
	// Pod is the Pod of the template, as a webhook would see it, and Container the
	// one that the probe is of.
	Pod       *corev1.Pod
	Container *corev1.Container
	// Policy is what held for it.
	Policy mutate.Policy
}

// Probes returns the exec probes of the tool in a file, in their order, and what
// could not be read.
func Probes(content []byte, options Options) (probes []Probe, unread []Finding) {
	if !utf8.Valid(content) {
		return nil, []Finding{about(0, 0, NotUTF8, "")}
	}
	for _, p := range partsOf(bytes.TrimPrefix(content, []byte("\ufeff")), options) {
		if !mentions(p.src, options.Policy.ToolNames) {
			continue
		}
		if p.inTemplate {
			unread = append(unread, p.suggestions(options)...)
			continue
		}
		documents, err := parse(p.src)
		if err != nil {
			unread = append(unread, unparsed(p, err, options)...)
			continue
		}
		t := newText(p.src)
		for _, root := range documents {
			more, problems := newDocument(t, root).probes(p, options)
			probes, unread = append(probes, more...), append(unread, problems...)
		}
	}
	return probes, unread
}

// probes are the probes of one document.
func (d *document) probes(p part, options Options) (probes []Probe, unread []Finding) {
	for _, o := range objects(d.root) {
		paths, known := o.templatePaths(options.Paths)
		templates := o.templates(paths)
		for _, f := range d.elsewhere(o, known, templates, options) {
			f.Line += p.line
			unread = append(unread, *f)
		}
		for _, t := range templates {
			if !d.holdsTool(t.node, options) {
				continue
			}
			pod, err := d.decode(t)
			if findings, is := d.unrendered(t, p, err, options); is {
				unread = append(unread, below(p, findings)...)
				continue
			}
			if err != nil {
				unread = append(unread, below(p, []Finding{undecoded(t, err)})...)
				continue
			}
			policy := policyFor(t, options.Policy)
			decisions, _ := decide(pod, t, options.Policy)
			judged := asAdmitted(pod, t)
			for _, each := range decisions {
				f := newFinding(o, each.finding)
				f.Line, f.Column = each.site.place().Line+p.line, each.site.place().Column
				probes = append(probes, Probe{Finding: f, Pod: judged, Container: containerOf(judged, f.Container), Policy: policy})
			}
		}
	}
	return probes, unread
}

// containerOf is a container or init container of a Pod by its name.
func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return &corev1.Container{}
}

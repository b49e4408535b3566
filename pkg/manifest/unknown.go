package manifest

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/healthprobe"
)

/*
Exec probes of the tool in objects of which nobody knows where they hold Pods, in
values of charts, and in patches: they are told, not edited.
*/

// unknown tells the exec probes of the tool in an object of an unknown kind.
func (d *document) unknown(o object, options Options) []*Finding {
	if o.kind == "Kustomization" || o.kind == "" && (child(o.node, "patches") != nil || child(o.node, "patchesStrategicMerge") != nil) {
		return d.inlinePatches(o, options)
	}
	var found []*Finding
	d.visitExec(o.node, maxDepth, func(exec slot) {
		command := words(child(exec.owner, "exec"))
		var actions standIns
		var read []string
		for _, word := range command {
			read = append(read, actions.put(word))
		}
		if !reader(options).Read(read, healthprobe.Container{Template: true}).Ours {
			return
		}
		f := about(exec.key().Line, exec.key().Column, UnknownKind, "")
		if o.kind == "" {
			f.skip(Template, "")
		}
		f.Kind, f.Namespace, f.Name, f.Command = o.kind, o.namespace, o.name, command
		text, code := actions.propose(read, options, func(check healthprobe.Check) string {
			if exec.owner.Style&yaml.FlowStyle != 0 {
				return "grpc: {" + style{}.flow(checkPairs(check)) + "}\n"
			}
			return nativeText(check, exec.key().Column-1)
		})
		f.Suggestion = text
		if o.kind == "" {
			f.propose(text, code)
		}
		found = append(found, &f)
	})
	return found
}

// elsewhere tells the exec probes of the tool in an object that stand where no Pod
// template is known to be.
func (d *document) elsewhere(o object, known bool, templates []template, options Options) []*Finding {
	if known {
		return d.misplaced(o, templates, options)
	}
	return d.unknown(o, options)
}

// misplaced tells the exec probes of the tool in an object where the caller's paths
// lead to no Pod template: to nothing, or to something that holds no containers.
func (d *document) misplaced(o object, templates []template, options Options) []*Finding {
	var given []string
	for _, p := range options.Paths {
		if p.matches(o) {
			given = append(given, p.fields())
		}
	}
	if given == nil || slices.ContainsFunc(templates, template.hasContainers) {
		return nil
	}
	detail := "nothing is at "
	if len(templates) > 0 {
		detail = "no Pod template is at "
	}
	detail += strings.Join(given, " or ")
	found := d.unknown(o, options)
	for _, f := range found {
		if f.Reason == UnknownKind {
			f.Detail = detail
		}
	}
	return found
}

// hasContainers says whether a template has what only a Pod's has.
func (t template) hasContainers() bool {
	spec := child(t.node, "spec")
	return child(spec, "containers") != nil || child(spec, "initContainers") != nil
}

// visitExec visits the pairs exec: {command: ...} of a node, each where it
// stands.
func (d *document) visitExec(n *yaml.Node, depth int, visit func(slot)) {
	if depth == 0 {
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == "exec" && c.Kind == yaml.ScalarNode {
			visit(slot{owner: n, index: i})
		}
		d.visitExec(c, depth-1, visit)
	}
}

// words are the words of the command of an exec handler.
func words(exec *yaml.Node) []string {
	command := child(exec, "command")
	if command == nil {
		return nil
	}
	var all []string
	for _, item := range command.Content {
		all = append(all, target(item).Value)
	}
	return all
}

// inlinePatches tells the patches inside of a kustomization that hold the tool.
func (d *document) inlinePatches(o object, options Options) []*Finding {
	var found []*Finding
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && mentions([]byte(n.Value), options.Policy.ToolNames) && strings.Contains(n.Value, "Probe") {
			f := about(n.Line, n.Column, KustomizePatch, "")
			f.Kind = "Kustomization"
			found = append(found, &f)
		}
		for _, c := range n.Content {
			visit(c)
		}
	}
	visit(o.node)
	return found
}

// operations tells the operations of a JSON patch (RFC 6902) that write a probe of
// the tool.
func (d *document) operations(options Options) []*Finding {
	var found []*Finding
	for _, item := range target(d.root.Content[0]).Content {
		item = target(item)
		if item.Kind != yaml.MappingNode || !strings.Contains(textOf(item, "path"), "Probe") || !d.holdsTool(item, options) {
			continue
		}
		f := about(item.Line, item.Column, KustomizePatch, textOf(item, "path"))
		found = append(found, &f)
	}
	return found
}

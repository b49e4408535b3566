package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

/*
The kinds that hold a Pod or a Pod template, and where. Everything else with
the tool's name needs a Path of the caller's.
*/

// kindPaths are the places of the Pod template by group and kind. The empty path
// is the object itself.
var kindPaths = []struct {
	groups string // with | between them
	kinds  string
	path   string
}{
	{"", "Pod", ""},
	{"", "PodTemplate", "template"},
	{"", "ReplicationController", "spec.template"},
	{"apps|extensions", "Deployment|DaemonSet|ReplicaSet|StatefulSet", "spec.template"},
	{"batch", "Job", "spec.template"},
	{"batch", "CronJob", "spec.jobTemplate.spec.template"},
	{knativeGroup, "Service|Configuration", "spec.template"},
	{"argoproj.io", "Rollout", "spec.template"},
}

// knativeGroup is the group of Knative Serving, whose controller adds env to the
// containers (K_SERVICE, PORT and others) before the Pod runs.
const knativeGroup = "serving.knative.dev"

// object is one object of a file, with its place in the document.
type object struct {
	node *yaml.Node
	path []string
	group, kind,
	namespace, name string
}

// objects are the objects of a document: itself, or the items of a list.
func objects(document *yaml.Node) []object {
	if len(document.Content) == 0 {
		return nil
	}
	var all []object
	addObjects(&all, document.Content[0], nil, "", "", 0)
	return all
}

// maxListDepth is how deep Lists of Lists are looked into.
const maxListDepth = 4

// addObjects adds an object or the items of a list. group and kind are those that
// the items of a typed list (PodList) have.
func addObjects(all *[]object, node *yaml.Node, path []string, group, kind string, depth int) {
	node = target(node)
	if node == nil || node.Kind != yaml.MappingNode || depth > maxListDepth {
		return
	}
	o := object{node: node, path: path, group: group, kind: kind}
	if own := textOf(node, "kind"); own != "" {
		o.kind = own
		o.group, _, _ = strings.Cut(textOf(node, "apiVersion"), "/")
		if !strings.Contains(textOf(node, "apiVersion"), "/") {
			o.group = ""
		}
	}
	items := child(node, "items")
	if element, isList := strings.CutSuffix(o.kind, "List"); isList && items != nil && items.Kind == yaml.SequenceNode {
		for i, item := range items.Content {
			addObjects(all, item, join(path, "items", itoa(i)), o.group, element, depth+1)
		}
		return
	}
	if metadata := child(node, "metadata"); metadata != nil {
		o.name, o.namespace = textOf(metadata, "name"), textOf(metadata, "namespace")
		if o.name == "" {
			o.name = textOf(metadata, "generateName")
		}
	}
	*all = append(*all, o)
}

// templatePaths are where an object holds Pod templates; known is false for a
// kind that nobody has told us about.
func (o object) templatePaths(more []Path) (paths [][]string, known bool) {
	for _, p := range more {
		if p.matches(o) {
			paths, known = append(paths, p.elements), true
		}
	}
	if known {
		return paths, true
	}
	for _, k := range kindPaths {
		if oneOf(k.groups, o.group) && oneOf(k.kinds, o.kind) {
			var elements []string
			if k.path != "" {
				elements = strings.Split(k.path, ".")
			}
			return [][]string{elements}, true
		}
	}
	return nil, false
}

func oneOf(list, word string) bool {
	for one := range strings.SplitSeq(list, "|") {
		if one == word {
			return true
		}
	}
	return false
}

// template is one Pod or Pod template of an object.
type template struct {
	object object
	node   *yaml.Node
	path   []string
	// isPod says that the object itself is the Pod.
	isPod bool
}

// templates are the Pod templates at the paths of an object.
func (o object) templates(paths [][]string) []template {
	var all []template
	for _, path := range paths {
		o.follow(&all, o.node, o.path, path, len(path) == 0 && o.kind == "Pod")
	}
	return all
}

// follow walks a path; the element * stands for every item of a list.
func (o object) follow(all *[]template, node *yaml.Node, at, path []string, isPod bool) {
	node = target(node)
	switch {
	case node == nil:
		return
	case len(path) == 0:
		if node.Kind == yaml.MappingNode {
			*all = append(*all, template{object: o, node: node, path: at, isPod: isPod})
		}
	case path[0] == anyItem && node.Kind == yaml.SequenceNode:
		for i, item := range node.Content {
			o.follow(all, item, join(at, itoa(i)), path[1:], isPod)
		}
	case path[0] != anyItem && node.Kind == yaml.MappingNode:
		o.follow(all, child(node, path[0]), join(at, path[0]), path[1:], isPod)
	}
}

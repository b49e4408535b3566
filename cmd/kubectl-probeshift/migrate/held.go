package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
What a kustomization writes is looked at field by field, whether or not it speaks
of the tool: a probe's handler or timeout holds that probe, and what a decision
depends on holds what it decides.
*/

// deciding are the fields on which the decision about every probe of a Pod depends.
// What begins with $ directs a strategic merge patch.
var deciding = []string{"ports", "hostNetwork", "hostnameOverride", "hostAliases", "hostname", "$patch", "$retainKeys"}

// collections are what holds such fields, so that who replaces or removes one
// writes all of them.
var collections = []string{"", "spec", "template", "jobTemplate", "metadata", "annotations", "containers", "initContainers"}

// choosing are the fields whose own keys are free words.
var choosing = []string{"labels", "matchLabels", "nodeSelector", "selector"}

// harmless are the fields of a probe that migrate neither reads nor writes.
var harmless = []string{"initialDelaySeconds", "periodSeconds", "successThreshold", "failureThreshold", "terminationGracePeriodSeconds"}

// writes is what a patch writes to an object: all of its probes, or those named.
type writes struct {
	all    bool
	probes []manifest.Held
	// left is how many nodes of the patch may still be looked at.
	left *int
}

// field takes in that a field is written. container is the one that it belongs to,
// where that is known.
func (w *writes) field(path []string, container string) {
	for i, name := range path {
		kind, isProbe := strings.CutSuffix(name, "Probe")
		switch {
		case isProbe && slices.Contains([]string{"liveness", "readiness", "startup"}, kind):
			if i+1 == len(path) || !slices.Contains(harmless, path[i+1]) {
				w.probes = append(w.probes, manifest.Held{Container: container, Probe: mutate.ProbeKind(kind)})
			}
			return
		case slices.Contains(choosing, name):
			return
		case name == "annotations":
			w.all = w.all || i+1 < len(path) && manifest.DecidingAnnotation(path[i+1])
			return
		case name == "env", name == "envFrom":
			w.probes = append(w.probes, manifest.Held{Container: container, Variables: true})
			return
		case slices.Contains(deciding, name), name == "restartPolicy" && slices.Contains(path, "initContainers"):
			w.all = true
			return
		}
	}
}

// value takes in a value that is written at a path, with all fields below it.
func (w *writes) value(path []string, n *yaml.Node, container string) {
	w.field(path, container)
	w.below(path, n, container, maxDepth)
}

// maxDepth is how deep a patch is looked into, and maxExpanded how many nodes it may
// have once its aliases are expanded. No object nests deeper, and more is an attack:
// what such a patch writes is not known, so it counts as all.
const (
	maxDepth    = 50
	maxExpanded = 100_000
)

func (w *writes) below(path []string, n *yaml.Node, container string, depth int) {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil {
		return
	}
	if *w.left--; *w.left < 0 || depth < 0 {
		w.all = true
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		inContainers := len(path) > 0 && (path[len(path)-1] == "containers" || path[len(path)-1] == "initContainers")
		for _, item := range n.Content {
			of := container
			if name := scalar(item, "name"); inContainers && name != "" {
				of = name
				w.all = w.all || mutate.IsMeshProxy(name, nil)
			}
			w.below(path, item, of, depth-1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.pair(path, n.Content[i].Value, n.Content[i+1], container, depth-1)
		}
	default: // scalars hold nothing
	}
}

// pair takes in a pair of a mapping.
func (w *writes) pair(path []string, key string, value *yaml.Node, container string, depth int) {
	if key == "<<" {
		w.below(path, value, container, depth)
		return
	}
	at := append(slices.Clip(path), key)
	if probe := strings.HasSuffix(key, "Probe") && value.Kind == yaml.MappingNode; !probe { // its fields say more
		w.field(at, container)
	}
	if value.Tag == "!!null" {
		w.whole(at)
	}
	w.below(at, value, container, depth)
}

// operation takes in an operation of a JSON patch.
func (w *writes) operation(item *yaml.Node) {
	path := pointer(scalar(item, "path"))
	value := valueOf(item, "value")
	w.value(path, value, "")
	w.all = w.all || mutate.IsMeshProxy(scalar(value, "name"), nil)
	if from := scalar(item, "from"); from != "" {
		w.whole(pointer(from))
		w.field(pointer(from), "")
	}
	if scalar(item, "op") != "add" || path[len(path)-1] != "-" { // what is appended takes nothing away
		w.whole(path)
	}
}

// whole takes in that what stands at a path is replaced or removed.
func (w *writes) whole(path []string) {
	last := path[len(path)-1]
	if _, err := strconv.Atoi(last); err == nil && len(path) > 1 {
		last = path[len(path)-2]
	}
	w.all = w.all || slices.Contains(collections, last)
}

// pointer are the elements of a JSON pointer (RFC 6901).
func pointer(text string) []string {
	elements := strings.Split(strings.TrimPrefix(text, "/"), "/")
	for i := range elements {
		elements[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(elements[i])
	}
	return elements
}

// held are the probes that the writes hold in the objects of a target.
func (w *writes) held(on target, by string) []manifest.Held {
	if w.all {
		w.probes = []manifest.Held{{}}
	}
	if strings.HasSuffix(on.Kind, "List") { // what is patched stands in it
		on = target{}
	}
	if !plainKind.MatchString(on.Kind) {
		on.Kind = ""
	}
	name, err := regexp.Compile("^(?:" + on.Name + ")$")
	if err != nil || on.Name == "" {
		name = nil
	}
	for i := range w.probes {
		w.probes[i].Kind, w.probes[i].Name, w.probes[i].By = on.Kind, name, by
	}
	return w.probes
}

// plainKind is a kind; kustomize also takes regular expressions.
var plainKind = regexp.MustCompile(`^[A-Za-z]+$`)

// holds are the probes that a patch writes to, or to what they are judged by.
func (p patch) holds(content []byte, by string) (all []manifest.Held) {
	decoder, left := yaml.NewDecoder(bytes.NewReader(content)), maxExpanded
	for {
		var document yaml.Node
		err := decode(decoder, &document)
		if errors.Is(err, io.EOF) {
			return all
		}
		w := writes{left: &left}
		if err != nil || len(document.Content) == 0 { // kustomize has another parser for JSON, which may read it
			w.all = true
			document.Content = []*yaml.Node{{}}
		}
		root := document.Content[0]
		on := target{Kind: scalar(root, "kind"), Name: regexp.QuoteMeta(scalar(valueOf(root, "metadata"), "name"))}
		if root.Kind == yaml.SequenceNode {
			for _, item := range root.Content {
				w.operation(item)
			}
		} else {
			w.below(nil, root, "", maxDepth)
		}
		if p.Target != nil {
			on = *p.Target
		}
		all = append(all, w.held(on, by)...)
		if err != nil {
			return all
		}
	}
}

// decode reads the next document. The parser panics on some of what it cannot read;
// that is an error like any other.
func decode(from *yaml.Decoder, into any) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", problem)
		}
	}()
	return from.Decode(into)
}

// holds are the probes that replacements write to, or to what they are judged by.
func (r replacement) holds(by string) (all []manifest.Held) {
	for _, to := range r.Targets {
		var w writes
		for _, text := range to.FieldPaths {
			path := strings.Split(strings.ReplaceAll(text, `\.`, "\x00"), ".")
			for i := range path {
				path[i] = strings.Trim(strings.ReplaceAll(path[i], "\x00", "."), "[]")
			}
			w.field(path, "")
			w.whole(path)
		}
		all = append(all, w.held(to.Select, by)...)
	}
	return all
}

// valueOf is the value of a key of a mapping, or nil.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// scalar is the text of a key of a mapping, or "".
func scalar(n *yaml.Node, key string) string {
	if v := valueOf(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

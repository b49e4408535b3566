package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
)

/*
After the edit the document is parsed again and compared with what it was, with
aliases and merges taken for what they stand for: the probes that were rewritten
have the new handler and timeout, and everything else is the same.
*/

// change is what an edit does to one probe.
type change struct {
	grpc *corev1.GRPCAction
	// timeout is the new timeoutSeconds as it is written, "" when it stays.
	timeout string
}

// changes is a tree of the changes of a document, by their paths.
type changes struct {
	at     map[string]*changes
	change *change
}

func (c *changes) add(path []string, what *change) {
	for _, element := range path {
		next := c.at[element]
		if next == nil {
			next = &changes{}
			if c.at == nil {
				c.at = map[string]*changes{}
			}
			c.at[element] = next
		}
		c = next
	}
	c.change = what
}

// below is the part of the tree under an element, or nil.
func (c *changes) below(element string) *changes {
	if c == nil {
		return nil
	}
	return c.at[element]
}

// compare says what differs between a document before and after an edit that
// should have made the changes and no other.
func compare(before, after []*yaml.Node, wanted []*changes) error {
	if len(before) != len(after) {
		return fmt.Errorf("%d documents became %d", len(before), len(after))
	}
	c := comparer{done: map[[2]*yaml.Node]bool{}}
	for i := range before {
		if len(before[i].Content) != len(after[i].Content) {
			return errors.New("a document became empty")
		}
		for j := range before[i].Content {
			if err := c.same(before[i].Content[j], after[i].Content[j], wanted[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// comparer remembers which targets of aliases were compared.
type comparer struct{ done map[[2]*yaml.Node]bool }

func (c comparer) same(before, after *yaml.Node, wanted *changes) error {
	if wanted == nil && (before.Kind == yaml.AliasNode || after.Kind == yaml.AliasNode) {
		at := [2]*yaml.Node{target(before), target(after)}
		if c.done[at] {
			return nil
		}
		c.done[at] = true
	}
	a, b := target(before), target(after)
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value {
		return fmt.Errorf("line %d: %s became %s", before.Line, describe(a), describe(b))
	}
	switch {
	case wanted != nil && wanted.change != nil:
		return c.sameProbe(a, b, wanted.change)
	case wanted != nil && a.Kind == yaml.MappingNode:
		return c.sameFields(a, b, wanted)
	case len(a.Content) != len(b.Content):
		return fmt.Errorf("line %d: %d entries became %d", a.Line, len(a.Content), len(b.Content))
	}
	for i := range a.Content {
		var below *changes
		if a.Kind == yaml.SequenceNode && wanted != nil {
			below = wanted.below(strconv.Itoa(i))
		}
		if err := c.same(a.Content[i], b.Content[i], below); err != nil {
			return err
		}
	}
	return nil
}

// describe names a node for an error; values may be secret.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a scalar " + n.Tag
	}
}

// field is a pair of a mapping with its merges taken in.
type field struct {
	key   string
	value *yaml.Node
}

// fieldsOf are the pairs of a mapping, those that it inherits included.
func fieldsOf(mapping *yaml.Node) []field {
	left := maxMerged
	return fieldsWithin(mapping, &left)
}

func fieldsWithin(mapping *yaml.Node, left *int) []field {
	if *left--; *left < 0 {
		return nil
	}
	var fields []field
	own := func(key string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.key == key })
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if key := target(mapping.Content[i]); !isMerge(key) {
			fields = append(fields, field{key.Value, mapping.Content[i+1]})
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if !isMerge(mapping.Content[i]) {
			continue
		}
		for _, from := range mergedMappings(mapping.Content[i+1]) {
			for _, f := range fieldsWithin(from, left) {
				if !own(f.key) {
					fields = append(fields, f)
				}
			}
		}
	}
	return fields
}

// sameFields compares two mappings field by field, in any order.
func (c comparer) sameFields(a, b *yaml.Node, wanted *changes) error {
	before, after := fieldsOf(a), fieldsOf(b)
	if len(before) != len(after) {
		return fmt.Errorf("line %d: %d fields became %d", a.Line, len(before), len(after))
	}
	for _, f := range before {
		i := slices.IndexFunc(after, func(g field) bool { return g.key == f.key })
		if i < 0 {
			return fmt.Errorf("line %d: field %s is gone", a.Line, f.key)
		}
		if err := c.same(f.value, after[i].value, wanted.below(f.key)); err != nil {
			return err
		}
	}
	return nil
}

// sameProbe compares a probe that was rewritten.
func (c comparer) sameProbe(a, b *yaml.Node, what *change) error {
	before, after := fieldsOf(a), fieldsOf(b)
	if len(before) != len(after) {
		return fmt.Errorf("line %d: the probe had %d fields and has %d", a.Line, len(before), len(after))
	}
	for _, f := range before {
		name := f.key
		if name == "exec" {
			name = "grpc"
		}
		i := slices.IndexFunc(after, func(g field) bool { return g.key == name })
		if i < 0 {
			return fmt.Errorf("line %d: the probe has no %s", a.Line, name)
		}
		value := target(after[i].value)
		switch {
		case name == "grpc":
			if !isHandler(value, what.grpc) {
				return fmt.Errorf("line %d: the handler is not what was decided", value.Line)
			}
		case name == "timeoutSeconds" && what.timeout != "":
			if value.Tag != "!!int" || value.Value != what.timeout {
				return fmt.Errorf("line %d: the timeout is not what was decided", value.Line)
			}
		default:
			if err := c.same(f.value, after[i].value, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// isHandler says whether a node is a grpc handler and nothing else.
func isHandler(n *yaml.Node, action *corev1.GRPCAction) bool {
	want := map[string]string{"port": strconv.Itoa(int(action.Port)), "service": ""}
	if action.Service != nil {
		want["service"] = *action.Service
	}
	if action.Mode != nil {
		want["mode"] = string(*action.Mode)
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2*len(want) {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		tag := "!!str"
		if key == "port" {
			tag = "!!int"
		}
		if text, ok := want[key]; !ok || value.Value != text || value.Tag != tag {
			return false
		}
		delete(want, key)
	}
	return len(want) == 0
}

package manifest

import (
	"go.yaml.in/yaml/v3"
)

// target follows an alias to what it stands for.
func target(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// slot is one pair of a mapping as it stands in the text.
type slot struct {
	// owner is the mapping that the pair is written in, and index that of its
	// key.
	owner *yaml.Node
	index int
	// merge is the pair <<: in the mapping that was asked, through which the
	// pair was inherited; its owner is nil for a pair of the mapping's own.
	merge *slot
}

func (s slot) key() *yaml.Node   { return s.owner.Content[s.index] }
func (s slot) value() *yaml.Node { return s.owner.Content[s.index+1] }

// find looks a key up in a mapping: among its own pairs, and then in what it
// merges by <<, where the first mapping of a list wins.
func find(mapping *yaml.Node, key string) (slot, bool) {
	left := maxMerged
	return findWithin(mapping, key, &left)
}

// maxMerged is how many mappings are looked into for one key; more is an attack,
// not a manifest.
const maxMerged = 100

func findWithin(mapping *yaml.Node, key string, left *int) (slot, bool) {
	if *left--; mapping == nil || mapping.Kind != yaml.MappingNode || *left < 0 {
		return slot{}, false
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if k := mapping.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key && !isMerge(k) {
			return slot{owner: mapping, index: i}, true
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if !isMerge(mapping.Content[i]) {
			continue
		}
		for _, from := range mergedMappings(mapping.Content[i+1]) {
			if s, ok := findWithin(from, key, left); ok {
				return slot{owner: s.owner, index: s.index, merge: &slot{owner: mapping, index: i}}, true
			}
		}
	}
	return slot{}, false
}

func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" }

// mergedMappings are the mappings that the value of << stands for.
func mergedMappings(value *yaml.Node) []*yaml.Node {
	value = target(value)
	switch {
	case value == nil:
		return nil
	case value.Kind == yaml.MappingNode:
		return []*yaml.Node{value}
	case value.Kind == yaml.SequenceNode:
		var all []*yaml.Node
		for _, item := range value.Content {
			if m := target(item); m.Kind == yaml.MappingNode {
				all = append(all, m)
			}
		}
		return all
	}
	return nil
}

// child is the value of a key of a mapping, aliases followed, or nil.
func child(mapping *yaml.Node, key string) *yaml.Node {
	s, ok := find(target(mapping), key)
	if !ok {
		return nil
	}
	return target(s.value())
}

// textOf is the text of a scalar below a mapping, or "".
func textOf(mapping *yaml.Node, key string) string {
	if c := child(mapping, key); c != nil && c.Kind == yaml.ScalarNode && c.Tag != "!!null" {
		return c.Value
	}
	return ""
}

package manifest

import (
	"math"

	"go.yaml.in/yaml/v3"
)

/*
A block with an anchor is used wherever an alias names it, <<: *name included. It
is edited where it stands only when all of its users want the same; a user that
wants something else gets the probe written out in its own place, and a block
that others still need is left.
*/

// document is a parsed document with its text.
type document struct {
	text *text
	root *yaml.Node
	// users are the aliases by the node that they stand for, and parents the
	// collection of each node; both are empty in a document without aliases.
	users   map[*yaml.Node][]*yaml.Node
	parents map[*yaml.Node]*yaml.Node
	// reached is what reach has counted.
	reached map[*yaml.Node]int
	// mergers are the mappings that hold the key <<.
	mergers []*yaml.Node
	// suggested says that the exec blocks of a template were told.
	suggested bool
}

func newDocument(t *text, root *yaml.Node) *document {
	d := &document{text: t, root: root}
	d.findUsers(root)
	if len(d.users) > 0 {
		d.parents, d.reached = map[*yaml.Node]*yaml.Node{}, map[*yaml.Node]int{}
		d.findParents(root)
	}
	return d
}

// findUsers finds the aliases and the mappings that merge.
func (d *document) findUsers(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		if d.users == nil {
			d.users = map[*yaml.Node][]*yaml.Node{}
		}
		d.users[n.Alias] = append(d.users[n.Alias], n)
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && isMerge(c) {
			d.mergers = append(d.mergers, n)
		}
		d.findUsers(c)
	}
}

func (d *document) findParents(n *yaml.Node) {
	for _, c := range n.Content {
		d.parents[c] = n
		d.findParents(c)
	}
}

// reach counts the places of the expanded document at which a node appears.
func (d *document) reach(n *yaml.Node) int {
	if len(d.users) == 0 {
		return 1
	}
	if count, known := d.reached[n]; known {
		return count
	}
	d.reached[n] = math.MaxInt32 // for a node that holds an alias to itself
	count := 1
	if parent := d.parents[n]; parent != nil {
		count = d.reach(parent)
	}
	for _, alias := range d.users[n] {
		count = min(count+d.reach(d.parents[alias]), math.MaxInt32)
	}
	d.reached[n] = count
	return count
}

// reachOf counts the places at which a pair of a mapping has a say: not where a
// mapping merges it and has the same key of its own.
func (d *document) reachOf(pair at) int {
	if len(d.users) == 0 {
		return 1
	}
	key := pair.owner.Content[pair.index].Value
	count := d.reach(pair.owner)
	for _, alias := range d.users[pair.owner] {
		if merging := d.merging(alias); merging != nil {
			if s, ok := find(merging, key); ok && s.owner != pair.owner {
				count -= d.reach(merging)
			}
		}
	}
	return count
}

// merging is the mapping that merges an alias by <<, or nil.
func (d *document) merging(alias *yaml.Node) *yaml.Node {
	in := d.parents[alias]
	value := alias
	if in.Kind == yaml.SequenceNode {
		value, in = in, d.parents[in]
	}
	if in == nil || in.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i+1] == value && isMerge(in.Content[i]) {
			return in
		}
	}
	return nil
}

// orphans says whether an alias that the edits leave in the text stands for a
// node, or for one in it, that they take away.
func (d *document) orphans(edits []edit) (bool, error) {
	covered := func(at int) bool {
		for _, e := range edits {
			if e.from <= at && at < e.to {
				return true
			}
		}
		return false
	}
	for node, aliases := range d.users {
		at, err := d.text.head(node)
		if err != nil {
			return false, err
		}
		if !covered(at) {
			continue
		}
		for _, alias := range aliases {
			used, err := d.text.head(alias)
			if err != nil {
				return false, err
			}
			if !covered(used) {
				return true, nil
			}
		}
	}
	return false, nil
}

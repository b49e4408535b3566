package manifest

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
)

/*
A key of a mapping's own wins over one that it merges by <<, wherever << stands;
so says the merge key's definition (https://yaml.org/type/merge.html). kubectl's
parser (go.yaml.in/yaml/v2) takes pairs in the order of the text instead: a merge
behind a key of the same name wins. Where the two differ nothing is decided.
*/

// clashError says that a merge stands behind a key that it holds too.
type clashError struct {
	line int
	key  string
}

func (e clashError) Error() string {
	return fmt.Sprintf("line %d: key %s stands in front of a merge that holds it too", e.line, e.key)
}

// decode decodes a Pod or a Pod template of the document.
func (d *document) decode(t template) (*corev1.Pod, error) {
	if err := d.clash(); err != nil {
		return nil, err
	}
	return decodePod(t.node)
}

// clash is the first key of the document about which readers of merges disagree,
// as an error, or nil.
func (d *document) clash() error {
	left := maxExpanded
	for _, mapping := range d.mergers {
		before := map[string]bool{}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			key := mapping.Content[i]
			if !isMerge(key) {
				before[target(key).Value] = true
				continue
			}
			held := map[string]bool{}
			for _, from := range mergedMappings(mapping.Content[i+1]) {
				addKeys(held, from, map[*yaml.Node]bool{}, &left)
			}
			if left < 0 {
				return errTooFar
			}
			for _, name := range slices.Sorted(maps.Keys(held)) {
				if before[name] {
					return clashError{key.Line, name}
				}
				before[name] = true
			}
		}
	}
	return nil
}

// addKeys adds the keys of a mapping, those that it merges included. left is how
// many may be looked at.
func addKeys(held map[string]bool, mapping *yaml.Node, visited map[*yaml.Node]bool, left *int) {
	if visited[mapping] {
		return
	}
	visited[mapping] = true
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if *left--; *left < 0 {
			return
		}
		key := mapping.Content[i]
		if !isMerge(key) {
			held[target(key).Value] = true
			continue
		}
		for _, from := range mergedMappings(mapping.Content[i+1]) {
			addKeys(held, from, visited, left)
		}
	}
}

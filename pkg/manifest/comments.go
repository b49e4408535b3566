package manifest

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

/*
Comments inside of a block that is replaced are kept. One on a line of its own
goes in front of what is written; one behind a word goes with the field that the
word has become: that of -addr to port, that of -service to service, others to
lines of their own.
*/

// comments are those of a block that is replaced.
type comments struct {
	// own stand on lines of their own, in order.
	own []string
	// port, service stand behind the fields.
	port, service string
}

// all are the comments, each for a line of its own.
func (c comments) all() []string {
	all := slices.Clone(c.own)
	for _, comment := range []string{c.port, c.service} {
		if comment != "" {
			all = append(all, comment)
		}
	}
	return all
}

// gather returns the comments in the text of a node, and where that stands.
func (t *text) gather(n, parent *yaml.Node) (comments, span, error) {
	var c comments
	whole, err := t.extent(n, parent)
	if err != nil {
		return c, whole, err
	}
	leaves, err := t.leaves(nil, n, parent)
	if err != nil {
		return c, whole, err
	}
	to := whole.to
	leaves = append(leaves, span{to, to})
	at, word := whole.from, ""
	for _, leaf := range leaves {
		for at < leaf.from {
			if t.src[at] != '#' || !t.startsComment(at) {
				at++
				continue
			}
			end := min(t.lineEnd(at), to)
			c.add(string(t.src[at:end]), word)
			at = end
		}
		at = max(at, leaf.to)
		if leaf.to > leaf.from {
			word = string(t.src[leaf.from:leaf.to])
		}
		if end := min(t.lineEnd(leaf.to), to); leaf.to > leaf.from && bytes.IndexByte(t.src[leaf.to:max(end, leaf.to)], '#') < 0 {
			word = "" // what follows stands on a line of its own
		}
	}
	return c, whole, nil
}

// add puts a comment behind the field that the word before it has become.
func (c *comments) add(comment, word string) {
	comment = strings.TrimRight(comment, " \t")
	switch {
	case strings.Contains(word, "addr") && c.port == "":
		c.port = comment
	case strings.Contains(word, "service") && c.service == "":
		c.service = comment
	default:
		c.own = append(c.own, comment)
	}
}

// leaves are the spans of the scalars and aliases of a node, in order.
func (t *text) leaves(all []span, n, parent *yaml.Node) ([]span, error) {
	if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
		if isAbsent(n) {
			return all, nil
		}
		from, err := t.head(n)
		if err != nil {
			return nil, err
		}
		to, err := t.end(n, parent)
		if err != nil || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			return append(all, span{from, to}), err
		}
		// Between the mark of a block scalar and its lines a comment may stand.
		mark, err := t.body(n)
		for mark < to && !isBlank(t.src[mark]) && breakAt(t.src, mark) == 0 {
			mark++
		}
		return append(all, span{from, mark}, span{min(t.lineEnd(mark), to), to}), err
	}
	var err error
	for _, c := range n.Content {
		if all, err = t.leaves(all, c, n); err != nil {
			return nil, err
		}
	}
	return all, nil
}

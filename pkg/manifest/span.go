package manifest

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

/*
A node knows where it starts, not where it ends. The end is found from its
deepest last part: a quoted scalar ends at its quote, a plain one behind the last
of its characters, a block scalar before the first line that is indented less, a
flow collection at its bracket. Nothing here guesses: a text that does not read
as the node says is an error, and the file stays as it is.
*/

// span is a half-open range of bytes.
type span struct{ from, to int }

// lostError says that the text at a node is not what the parser read there.
type lostError struct{ line int }

func (e lostError) Error() string {
	return fmt.Sprintf("line %d: the text is not where the YAML parser says", e.line)
}

// head is where a node starts, its anchor and tag included.
func (t *text) head(n *yaml.Node) (int, error) {
	at, ok := t.offset(n.Line, n.Column)
	if !ok {
		return 0, lostError{n.Line}
	}
	return at, nil
}

// body is where a node starts behind its anchor and tag.
func (t *text) body(n *yaml.Node) (int, error) {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 {
		return t.head(n.Content[0])
	}
	at, err := t.head(n)
	if err != nil || n.Kind == yaml.AliasNode {
		return at, err
	}
	for at < len(t.src) && (t.src[at] == '&' || t.src[at] == '!') {
		for at < len(t.src) && !isBlank(t.src[at]) && breakAt(t.src, at) == 0 && !isFlowMark(t.src[at]) {
			at++
		}
		at = t.skipFiller(at, "")
	}
	return at, nil
}

func isFlowMark(c byte) bool { return c == ',' || c == '[' || c == ']' || c == '{' || c == '}' }

// skipFiller skips blanks, line breaks, comments and the marks given.
func (t *text) skipFiller(at int, marks string) int {
	for at < len(t.src) {
		switch n := breakAt(t.src, at); {
		case n > 0:
			at += n
		case isBlank(t.src[at]), contains(marks, t.src[at]):
			at++
		case t.src[at] == '#' && t.startsComment(at):
			at = t.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// startsComment says whether a # starts a comment: it stands behind a blank or at
// the start of a line. In flow collections it may also follow a mark.
func (t *text) startsComment(at int) bool {
	return at == 0 || isBlank(t.src[at-1]) || t.lineStart(at) == at || isFlowMark(t.src[at-1])
}

func contains(marks string, c byte) bool {
	for i := range len(marks) {
		if marks[i] == c {
			return true
		}
	}
	return false
}

// end is where a node ends. parent is the collection it is written in.
func (t *text) end(n, parent *yaml.Node) (int, error) {
	at, err := t.body(n)
	switch {
	case err != nil:
		return 0, err
	case n.Kind == yaml.AliasNode:
		return t.prefix(at, "*"+n.Value, n)
	case n.Kind == yaml.ScalarNode:
		return t.scalarEnd(at, n, parent)
	case n.Style&yaml.FlowStyle != 0:
		return t.flowEnd(at, n)
	case len(n.Content) == 0:
		return 0, lostError{n.Line}
	}
	last := n.Content[len(n.Content)-1]
	if isAbsent(last) {
		if n.Kind != yaml.MappingNode {
			return 0, lostError{n.Line}
		}
		return t.keyEnd(n.Content[len(n.Content)-2], n)
	}
	return t.end(last, n)
}

// extent is where a node stands, from behind its anchor and tag to its end.
func (t *text) extent(n, parent *yaml.Node) (span, error) {
	from, err := t.body(n)
	if err != nil {
		return span{}, err
	}
	to, err := t.end(n, parent)
	return span{from, to}, err
}

// isAbsent says whether a node is a null that is written as nothing.
func isAbsent(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == "" && n.Anchor == ""
}

// keyEnd is where a key ends, its colon included.
func (t *text) keyEnd(key, mapping *yaml.Node) (int, error) {
	at, err := t.end(key, mapping)
	if err != nil {
		return 0, err
	}
	return t.prefix(t.skipFiller(at, ""), ":", key)
}

// prefix is the offset behind a text that has to stand at an offset.
func (t *text) prefix(at int, want string, n *yaml.Node) (int, error) {
	if at+len(want) > len(t.src) || string(t.src[at:at+len(want)]) != want {
		return 0, lostError{n.Line}
	}
	return at + len(want), nil
}

// flowEnd is where a flow collection ends that starts at an offset.
func (t *text) flowEnd(at int, n *yaml.Node) (int, error) {
	opening, closing := "[", "]"
	if n.Kind == yaml.MappingNode {
		opening, closing = "{", "}"
	}
	// A pair in a flow sequence, [a: b], is a mapping without brackets.
	if _, err := t.prefix(at, opening, n); err != nil {
		return 0, err
	}
	at++
	for _, last := range slices.Backward(n.Content) {
		if isAbsent(last) {
			continue
		}
		end, err := t.end(last, n)
		if err != nil {
			return 0, err
		}
		at = end
		break
	}
	return t.prefix(t.skipFiller(at, ",:?"), closing, n)
}

// scalarEnd is where a scalar ends that starts at an offset.
func (t *text) scalarEnd(at int, n, parent *yaml.Node) (int, error) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return t.quotedEnd(at, '"', n)
	case n.Style&yaml.SingleQuotedStyle != 0:
		return t.quotedEnd(at, '\'', n)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return t.blockEnd(at, n, parent)
	}
	// Plain: no escapes, so its characters stand there as they are, with blanks
	// and breaks folded.
	for _, c := range n.Value {
		if c == ' ' || c == '\t' || c == '\n' {
			continue
		}
		for at < len(t.src) && (isBlank(t.src[at]) || breakAt(t.src, at) > 0) {
			at += max(1, breakAt(t.src, at))
		}
		got, size := utf8.DecodeRune(t.src[at:])
		if got != c {
			return 0, lostError{n.Line}
		}
		at += size
	}
	return at, nil
}

// quotedEnd is the offset behind the closing quote.
func (t *text) quotedEnd(at int, quote byte, n *yaml.Node) (int, error) {
	if at >= len(t.src) || t.src[at] != quote {
		return 0, lostError{n.Line}
	}
	for at++; at < len(t.src); at++ {
		switch {
		case t.src[at] == '\\' && quote == '"':
			at++
		case t.src[at] != quote:
		case quote == '\'' && at+1 < len(t.src) && t.src[at+1] == '\'':
			at++
		default:
			return at + 1, nil
		}
	}
	return 0, lostError{n.Line}
}

// blockEnd is where the last line of a block scalar ends.
func (t *text) blockEnd(at int, n, parent *yaml.Node) (int, error) {
	if at >= len(t.src) || t.src[at] != '|' && t.src[at] != '>' {
		return 0, lostError{n.Line}
	}
	indent := -1
	for _, c := range t.src[at+1 : min(at+3, len(t.src))] {
		if c >= '1' && c <= '9' {
			indent = parent.Column - 1 + int(c-'0')
		}
	}
	end := t.lineEnd(at)
	for at = end; at < len(t.src); {
		at += breakAt(t.src, at)
		first := at
		for first < len(t.src) && t.src[first] == ' ' {
			first++
		}
		next := t.lineEnd(first)
		blank := first == next
		if !blank && indent < 0 {
			if first-at <= parent.Column-1 { // no content at all
				return end, nil
			}
			indent = first - at
		}
		switch {
		case blank:
		case first-at < indent:
			return end, nil
		default:
			end = next
		}
		at = next
	}
	return end, nil
}

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

/*
The YAML parser reads JSON, but for some things that JSON has: the escape \/, a
character beyond U+FFFF as a pair of escapes, several values one after the other, and
tabs around them. A file with such is parsed in a form without them, and the nodes get
the positions that they have in the file.
*/

// parseJSON reads a text that is JSON and did not parse as YAML; ok is false where it
// is something else, or does not parse all the same.
func parseJSON(src []byte) (documents []*yaml.Node, ok bool) {
	edits, ok := separated(src)
	if !ok {
		return nil, false
	}
	escapes, ok := unescaped(src)
	if !ok {
		return nil, false
	}
	edits = append(edits, escapes...)
	documents, err := parseYAML(apply(src, edits)) // which sorts the edits
	if err != nil {
		return nil, false
	}
	c := cursor{src: src, edits: edits, here: position{1, 1}, parsed: position{1, 1}}
	for _, document := range documents {
		if !c.relocate(document) {
			return nil, false
		}
	}
	return documents, true
}

// separated are the edits that put marks between JSON values, and leave out the blanks
// around them: YAML does not take every tab. ok is false where the text is not made of
// such values.
func separated(src []byte) (edits []edit, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(src))
	for last, mark := 0, ""; ; mark = "\n---\n" {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false
		}
		next := last
		for next < len(src) && bytes.IndexByte([]byte(" \t\r\n"), src[next]) >= 0 {
			next++
		}
		if err != nil {
			return append(edits, edit{span{last, next}, "\n"}), true
		}
		edits = append(edits, edit{span{last, next}, mark})
		last = int(decoder.InputOffset())
	}
}

// unescaped are the edits that write characters in the place of the escapes of JSON
// that YAML does not have; ok is false where half of a pair stands alone.
func unescaped(src []byte) (edits []edit, ok bool) {
	const escape = len(`\u0000`)
	for at := 0; at+1 < len(src); at++ {
		if src[at] != '\\' {
			continue
		}
		if src[at+1] == '/' {
			edits = append(edits, edit{span{at, at + 2}, "/"})
		}
		if first := escapedAt(src, at); utf16.IsSurrogate(first) {
			both := utf16.DecodeRune(first, escapedAt(src, at+escape))
			if both == utf8.RuneError {
				return nil, false
			}
			edits = append(edits, edit{span{at, at + 2*escape}, string(both)})
			at += 2*escape - 2
		}
		at++
	}
	return edits, true
}

// escapedAt is the half of a pair, or the character, that an escape \uXXXX stands for,
// or 0.
func escapedAt(src []byte, at int) rune {
	if at+6 > len(src) || src[at] != '\\' || src[at+1] != 'u' {
		return 0
	}
	code, err := strconv.ParseUint(string(src[at+2:at+6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(code)
}

// position is a place as the parser counts.
type position struct{ line, column int }

// over is the position behind a text.
func (p position) over(src []byte) position {
	for at := 0; at < len(src); {
		if n := breakAt(src, at); n > 0 {
			p, at = position{p.line + 1, 1}, at+n
			continue
		}
		_, size := utf8.DecodeRune(src[at:])
		p.column++
		at += size
	}
	return p
}

// cursor goes through a text and, beside it, through what edits make of it.
type cursor struct {
	src   []byte
	edits []edit
	// at is the offset in src and here its position; parsed is that in the other text.
	at           int
	here, parsed position
}

// relocate gives a node and those below it the positions that they have in the text.
// The nodes of JSON begin one after the other.
func (c *cursor) relocate(n *yaml.Node) bool {
	for n.Kind != yaml.DocumentNode && c.parsed != (position{n.Line, n.Column}) { // a document begins at its mark
		if !c.step() {
			return false
		}
	}
	n.Line, n.Column = c.here.line, c.here.column
	for _, below := range n.Content {
		if !c.relocate(below) {
			return false
		}
	}
	return true
}

// step goes over an edit or a character.
func (c *cursor) step() bool {
	if len(c.edits) > 0 && c.edits[0].from == c.at {
		e := c.edits[0]
		c.parsed, c.here = c.parsed.over([]byte(e.text)), c.here.over(c.src[e.from:e.to])
		c.at, c.edits = e.to, c.edits[1:]
		return true
	}
	if c.at >= len(c.src) {
		return false
	}
	_, size := utf8.DecodeRune(c.src[c.at:])
	size = max(size, breakAt(c.src, c.at))
	c.parsed, c.here = c.parsed.over(c.src[c.at:c.at+size]), c.here.over(c.src[c.at:c.at+size])
	c.at += size
	return true
}

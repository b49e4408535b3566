package manifest

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// text is the source of a document, addressed as the YAML parser counts: lines
// from 1, columns in characters from 1.
type text struct {
	src []byte
	// lines are the offsets at which the lines start.
	lines []int
	// columns are some offsets of the lines that were asked for, see columnsApart.
	columns map[int][]int
}

func newText(src []byte) *text {
	t := &text{src: src, lines: []int{0}, columns: map[int][]int{}}
	for i := 0; i < len(src); {
		n := breakAt(src, i)
		if n == 0 {
			i++
			continue
		}
		i += n
		t.lines = append(t.lines, i)
	}
	return t
}

// breakAt is the length in bytes of the line break at offset i, or 0. These are
// the breaks of YAML 1.1, by which the parser counts lines: CR, LF, CR LF, and
// the characters U+0085, U+2028 and U+2029.
func breakAt(src []byte, i int) int {
	switch c := src[i]; {
	case c == '\n':
		return 1
	case c == '\r':
		if i+1 < len(src) && src[i+1] == '\n' {
			return 2
		}
		return 1
	case c == 0xc2 && i+1 < len(src) && src[i+1] == 0x85:
		return 2
	case c == 0xe2 && i+2 < len(src) && src[i+1] == 0x80 && (src[i+2] == 0xa8 || src[i+2] == 0xa9):
		return 3
	}
	return 0
}

// columnsApart is how many characters lie between the offsets that are remembered
// of a line: JSON may be one line of many megabytes.
const columnsApart = 512

// offset is where a character stands; ok is false where the line has no such
// column.
func (t *text) offset(line, column int) (at int, ok bool) {
	if line < 1 || line > len(t.lines) || column < 1 {
		return 0, false
	}
	known, seen := t.columns[line]
	if !seen {
		known = t.columnsOf(line)
		t.columns[line] = known
	}
	mark := (column - 1) / columnsApart
	if mark >= len(known) {
		return 0, false
	}
	at = known[mark]
	for range (column - 1) % columnsApart {
		if at >= len(t.src) || breakAt(t.src, at) > 0 {
			return 0, false
		}
		_, size := utf8.DecodeRune(t.src[at:])
		at += size
	}
	return at, true
}

// columnsOf are the offsets of every columnsApart-th character of a line.
func (t *text) columnsOf(line int) []int {
	at := t.lines[line-1]
	known := []int{at}
	for n := 1; at < len(t.src) && breakAt(t.src, at) == 0; n++ {
		_, size := utf8.DecodeRune(t.src[at:])
		at += size
		if n%columnsApart == 0 {
			known = append(known, at)
		}
	}
	return known
}

// lineOf is the index of the line that a position is on.
func (t *text) lineOf(at int) int {
	i, found := slices.BinarySearch(t.lines, at)
	if found {
		return i
	}
	return i - 1
}

// lineStart is where the line of a position starts.
func (t *text) lineStart(at int) int { return t.lines[t.lineOf(at)] }

// lineEnd is where the line of a position ends, its break excluded.
func (t *text) lineEnd(at int) int {
	next := t.lineOf(at) + 1
	if next == len(t.lines) {
		return len(t.src)
	}
	end := t.lines[next]
	for n := 3; n > 0; n-- {
		if end-n >= t.lines[next-1] && breakAt(t.src, end-n) == n {
			return end - n
		}
	}
	return end
}

// eol is the line break behind a position; on the last line, the first of the
// text.
func (t *text) eol(at int) string {
	end := t.lineEnd(at)
	if end == len(t.src) {
		end = t.lineEnd(0)
	}
	if bytes.HasPrefix(t.src[end:], []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

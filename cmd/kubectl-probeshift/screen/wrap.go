package screen

import "strings"

// wrapProse breaks a text at blanks into lines of at most width columns. A word
// that is longer, such as a part of a command, stays whole. A width of 0 is no
// limit. There is always at least one line.
func wrapProse(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case Columns(*last)+1+Columns(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// wrapCell breaks a text into lines of at most width columns, after one of the
// characters in breaks where there is one, and anywhere where there is not.
// There is always at least one line.
func wrapCell(text string, width int, breaks string) []string {
	var lines []string
	rest := []rune(strings.TrimSpace(text))
	for len(rest) > width {
		at := lastBreak(rest[:width+1], breaks)
		line := strings.TrimRight(string(rest[:at]), " ")
		lines = append(lines, line)
		rest = []rune(strings.TrimLeft(string(rest[at:]), " "))
	}
	return append(lines, string(rest))
}

// lastBreak is the length of the longest line that ends where a break is; the
// last character of candidate does not fit the line, unless it is a blank.
func lastBreak(candidate []rune, breaks string) int {
	width := len(candidate) - 1
	if candidate[width] == ' ' {
		return width
	}
	for at := width; at > 0; at-- {
		if strings.ContainsRune(breaks, candidate[at-1]) {
			return at
		}
	}
	return width
}

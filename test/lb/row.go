package main

import (
	"fmt"
	"io"
	"strings"
)

// row is one line of the table.
type row struct {
	What   string
	Wanted string
	Seen   string
	Met    bool
	// Figure rows are about time or memory. They never fail a run.
	Figure bool
}

// verdict is the last column.
func (r row) verdict() string {
	switch {
	case r.Met:
		return "met"
	case r.Figure:
		return "above target"
	}
	return "MISSED"
}

// failed says whether the row fails the run.
func (r row) failed() bool { return !r.Met && !r.Figure }

// The widths of the columns. What is longer goes on in the next line.
const (
	whatWidth   = 44
	wantedWidth = 32
	seenWidth   = 46
)

// printHeader prints the names of the columns.
func printHeader(out io.Writer) {
	printLine(out, "what", "wanted", "seen", "")
}

// print prints the row as it comes, in as many lines as it takes.
func (r row) print(out io.Writer) {
	what, wanted, seen := fold(r.What, whatWidth), fold(r.Wanted, wantedWidth), fold(r.Seen, seenWidth)
	for i := range max(len(what), len(wanted), len(seen)) {
		verdict := ""
		if i == 0 {
			verdict = r.verdict()
		}
		printLine(out, at(what, i), at(wanted, i), at(seen, i), verdict)
	}
}

// printLine prints one line of four columns.
func printLine(out io.Writer, what, wanted, seen, verdict string) {
	line := fmt.Sprintf("%-*s  %-*s  %-*s  %s", whatWidth, what, wantedWidth, wanted, seenWidth, seen, verdict)
	fmt.Fprintln(out, strings.TrimRight(line, " "))
}

// at is a line of a folded text, empty when there is none.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// fold breaks a text between words into lines of at most width characters; a
// longer word has a line of its own. What goes on is indented.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = "  " + word
		}
	}
	return append(lines, line)
}

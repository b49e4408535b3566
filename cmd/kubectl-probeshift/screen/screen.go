// Package screen writes for people: colours where there is a terminal, prose
// and tables that fit it, and progress.
package screen

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// minWidth is the narrowest terminal that text is fitted to, in columns.
const minWidth = 40

// maxProse is the widest that prose gets, in columns; wider is hard to read.
const maxProse = 100

// Style is an ANSI escape sequence that changes how text looks.
type Style string

// The styles.
const (
	Bold   Style = "\x1b[1m"
	Faint  Style = "\x1b[2m"
	Red    Style = "\x1b[31m"
	Green  Style = "\x1b[32m"
	Yellow Style = "\x1b[33m"

	reset = "\x1b[0m"
)

// Screen is where a command writes for people.
type Screen struct {
	out     io.Writer
	width   int
	colours bool
}

// New looks at what a command writes to. Colours are for terminals alone, and
// not for those that NO_COLOR (https://no-color.org) or TERM=dumb speak of.
func New(out io.Writer, getenv func(string) string) *Screen {
	s := &Screen{out: out}
	width, ok := terminal(out)
	if !ok {
		return s
	}
	s.width = max(width, minWidth)
	s.colours = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return s
}

// terminal is the width of a terminal in columns; ok is false for anything
// else.
func terminal(out io.Writer) (width int, ok bool) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		return 80, true
	}
	return width, true
}

// Width is the terminal's width in columns, 0 where there is none: then nothing
// is broken, so that lines can be searched.
func (s *Screen) Width() int { return s.width }

// Paint gives a text a style.
func (s *Screen) Paint(style Style, text string) string {
	if !s.colours || text == "" || style == "" {
		return text
	}
	return string(style) + text + reset
}

// Line writes one line as it is.
func (s *Screen) Line(text string) {
	// A reader that is gone is not ours to mend.
	_, _ = io.WriteString(s.out, text+"\n")
}

// Wrapped writes prose, broken at blanks. The label stands before the first
// line, as many blanks before the others.
func (s *Screen) Wrapped(label, text string) { s.Styled("", label, text) }

// Styled writes prose whose label has a style.
func (s *Screen) Styled(style Style, label, text string) {
	indent := Columns(label)
	width := 0
	if s.width > 0 {
		width = max(min(s.width, maxProse)-indent, minWidth/2)
	}
	for i, line := range wrapProse(text, width) {
		if i == 0 {
			s.Line(s.Paint(style, label) + line)
			continue
		}
		s.Line(strings.Repeat(" ", indent) + line)
	}
}

// Columns is how wide a text is, when no character is wider than one column.
func Columns(text string) int { return utf8.RuneCountInString(text) }

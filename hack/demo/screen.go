package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	// defaultWidth is taken where there is no terminal; wider than maxWidth
	// prose is hard to read, and narrower than minWidth it is none.
	defaultWidth, minWidth, maxWidth = 80, 40, 100
)

// style is an ANSI escape sequence that changes how text looks.
type style string

const (
	bold   style = "\x1b[1m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	faint  style = "\x1b[2m"
	reset  style = "\x1b[0m"
)

// screen is where the demo shows things.
type screen struct {
	out     io.Writer
	width   int // columns
	colours bool
	// interactive says that a person sits there.
	interactive bool
}

// newScreen looks at what the demo was started with: colours are for terminals
// alone, and for none where NO_COLOR says so.
func newScreen(in, out *os.File, getenv func(string) string) *screen {
	s := &screen{out: out, width: defaultWidth}
	if !term.IsTerminal(int(out.Fd())) {
		return s
	}
	if columns, _, err := term.GetSize(int(out.Fd())); err == nil && columns > 0 {
		s.width = min(max(columns, minWidth), maxWidth)
	}
	s.colours = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	s.interactive = term.IsTerminal(int(in.Fd()))
	return s
}

// line prints one line.
func (s *screen) line(text string) { s.write(text + "\n") }

// write prints a text. Where nobody reads any longer a signal ends the demo.
func (s *screen) write(text string) { _, _ = io.WriteString(s.out, text) }

// paint gives a text a style.
func (s *screen) paint(look style, text string) string {
	if !s.colours {
		return text
	}
	return string(look) + text + string(reset)
}

// wrapped prints a text broken at blanks to the screen's width. The label stands
// before the first line, as many blanks before the others.
func (s *screen) wrapped(look style, label, text string) {
	indent := columns(label)
	var line strings.Builder
	line.WriteString(s.paint(look, label))
	at := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+columns(word) > s.width:
			line.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			line.WriteString(" ")
			at++
		}
		line.WriteString(word)
		at += columns(word)
	}
	s.line(line.String())
}

// columns is how wide a text is, when no character is wider than one column.
func columns(text string) int { return len([]rune(text)) }

// step does something that takes its time, and shows that: a dot a second, and
// in the end how long it took.
func (s *screen) step(name string, do func() error) error {
	start := time.Now()
	s.write(name + " .")
	done := make(chan error, 1)
	go func() { done <- do() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.write(".")
		case err := <-done:
			if err != nil {
				s.line("")
				return err
			}
			s.line(fmt.Sprintf(" %.1f s", time.Since(start).Seconds()))
			return nil
		}
	}
}

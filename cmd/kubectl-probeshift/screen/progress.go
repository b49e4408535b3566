package screen

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// progressEvery is how often the line is drawn again at most.
	progressEvery = 100 * time.Millisecond
	// barWidth is the width of the bar, in columns.
	barWidth = 24
)

// Progress is one line that tells how far long work has come. It is drawn on
// terminals alone.
type Progress struct {
	out   io.Writer
	what  string
	now   func() time.Time
	drawn time.Time
}

// NewProgress starts to tell of the progress of things of this name ("Pods").
// Where out is no terminal nothing is written.
func NewProgress(out io.Writer, what string) *Progress {
	p := &Progress{out: out, what: what, now: time.Now}
	if _, ok := terminal(out); !ok {
		p.out = nil
	}
	return p
}

// Set says how many there are done, of how many in total; 0 or less is not
// known.
func (p *Progress) Set(done, total int) {
	if p.out == nil {
		return
	}
	now := p.now()
	if now.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.out, "\r\x1b[K%s", progressLine(p.what, done, total))
}

// Done takes the line away.
func (p *Progress) Done() {
	if p.out != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func progressLine(what string, done, total int) string {
	if total <= 0 {
		return fmt.Sprintf("%d %s", done, what)
	}
	done = min(done, total)
	full := barWidth * done / total
	return fmt.Sprintf("[%s%s] %d of %d %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total, what)
}

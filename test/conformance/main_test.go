package conformance

import (
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

var (
	lineCount    = flag.Int("lines", 30_000, "command lines that are read beside the tool's own code")
	binaryCount  = flag.Int("binary", 400, "of these, lines that the released binary runs as well")
	scriptCount  = flag.Int("scripts", 1_500, "commands with a shell that real shells run as well")
	expandCount  = flag.Int("expansions", 30_000, "commands that the kubelet's own function expands as well")
	everyVerdict = flag.Bool("every-verdict", false, "hold every command beside every server")
	releaseCount = flag.Int("releases", 1, "releases of the tool whose verdicts are compared")
	seedFlag     = flag.Uint64("seed", 1, "where the generators start; 0 takes the clock")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	status := m.Run()
	totals.print(os.Stdout, *seedFlag)
	verdicts.print(os.Stdout)
	os.Exit(status)
}

// seed returns where the generators start.
func seed() uint64 { return *seedFlag }

// count is a row of the summary.
type count struct {
	what                                string
	tried, native, refused, differences int
}

// judged counts a reading.
func (c *count) judged(r healthprobe.Reading) {
	c.tried++
	if r.Ours && r.Reason == reason.None {
		c.native++
	} else {
		c.refused++
	}
}

// summary collects the rows.
type summary struct {
	mu   sync.Mutex
	rows []count
}

var totals summary

func (s *summary) add(row count) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row)
}

func (s *summary) print(out io.Writer, seed uint64) {
	if len(s.rows) == 0 {
		return
	}
	fmt.Fprintf(out, "\nConformance, seed %d\n", seed)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPARED WITH\tTRIED\tNATIVE\tNOT NATIVE\tDIFFERENCES")
	for _, r := range s.rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", r.what, r.tried, r.native, r.refused, r.differences)
	}
	_ = table.Flush()
}

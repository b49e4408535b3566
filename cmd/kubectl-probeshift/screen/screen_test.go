package screen

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProseIsBrokenAtBlanks(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		width int
		want  []string
	}{
		"it fits":                 {"a short text", 12, []string{"a short text"}},
		"it does not":             {"a short text", 11, []string{"a short", "text"}},
		"a long word stays whole": {"run kubectl-probeshift now", 8, []string{"run", "kubectl-probeshift", "now"}},
		"blanks are one":          {"a   b\nc", 20, []string{"a b c"}},
		"nothing":                 {"", 10, []string{""}},
		"no limit":                {"a  b", 0, []string{"a  b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, wrapProse(tc.text, tc.width)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACellIsBrokenAnywhereInTheEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		width int
		want  []string
	}{
		"after a slash":        {"deployment/payments", 12, []string{"deployment/", "payments"}},
		"after a dash":         {"port-not-declared", 10, []string{"port-not-", "declared"}},
		"at a blank":           {"grpc port 9000", 9, []string{"grpc port", "9000"}},
		"in a word":            {"abcdefgh", 3, []string{"abc", "def", "gh"}},
		"characters not bytes": {"ööööö", 3, []string{"ööö", "öö"}},
		"nothing":              {"", 3, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, wrapCell(tc.text, tc.width, cellBreaks)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATableFitsTheTerminal(t *testing.T) {
	columns := []Column{{Title: "NAME"}, {Title: "N", Right: true}, {Title: "WHY", Below: true}}
	rows := [][]string{{"deployment/a", "1", "it is so"}, {"deployment/long-name-of-a-workload-that-never-ends", "12", ""}}
	for name, tc := range map[string]struct {
		width int
		want  string
	}{
		"no terminal": {0, `
NAME                                                N   WHY
deployment/a                                        1   it is so
deployment/long-name-of-a-workload-that-never-ends  12
`},
		"the last column goes below": {56, `
NAME                                                N
deployment/a                                        1
    it is so
deployment/long-name-of-a-workload-that-never-ends  12
`},
		"cells are broken": {40, `
NAME                                  N
deployment/a                          1
    it is so
deployment/long-name-of-a-workload-  12
that-never-ends
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := &Screen{out: &out, width: tc.width}
			s.Table(columns, rows)
			got := "\n" + out.String()
			if tc.width > 0 {
				for line := range strings.Lines(out.String()) {
					if Columns(strings.TrimRight(line, "\n")) > tc.width {
						t.Errorf("too wide: %s", line)
					}
				}
			}
			if diff := cmp.Diff(strings.Fields(tc.want), strings.Fields(got)); diff != "" {
				t.Errorf("%s\n%s", diff, got)
			}
		})
	}
}

func TestOnlyTerminalsGetColoursAndProgress(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, func(string) string { return "" })
	if got := s.Paint(Red, "text"); got != "text" || s.Width() != 0 {
		t.Errorf("%q, width %d", got, s.Width())
	}
	s.colours = true
	if got := s.Paint(Red, "text"); got != "\x1b[31mtext\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := s.Paint("", "text"); got != "text" {
		t.Errorf("%q", got)
	}
	p := NewProgress(&out, "Pods")
	p.Set(1, 2)
	p.Done()
	if out.Len() != 0 {
		t.Errorf("written: %q", out.String())
	}
}

func TestProgressIsALine(t *testing.T) {
	for want, got := range map[string]string{
		"7 Pods": progressLine("Pods", 7, 0),
		"[============            ] 5 of 10 Pods":      progressLine("Pods", 5, 10),
		"[========================] 10 of 10 Pods":     progressLine("Pods", 12, 10),
		"[                        ] 0 of 10000 probes": progressLine("probes", 0, 10000),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProseHangsBelowItsLabel(t *testing.T) {
	var out bytes.Buffer
	s := &Screen{out: &out, width: 40}
	s.Wrapped("  why  ", "one two three four five six seven eight")
	want := "  why  one two three four five six seven\n       eight\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

package lbcases_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

var update = flag.Bool("update", false, "write patch.json and outcome.yaml as the rules now have them")

func load(t *testing.T) []lbcases.Case {
	t.Helper()
	all, err := lbcases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files are patch.json and outcome.yaml as the rules have them.
func files(t *testing.T, c lbcases.Case) (patch, outcome string) {
	t.Helper()
	result, err := c.Inject()
	if err != nil {
		t.Fatal(err)
	}
	if patch, err = lbcases.PatchFile(result); err != nil {
		t.Fatal(err)
	}
	if outcome, err = lbcases.OutcomeFile(result); err != nil {
		t.Fatal(err)
	}
	return patch, outcome
}

func TestEveryCaseIsComplete(t *testing.T) {
	for _, c := range load(t) {
		if *update {
			patch, outcome := files(t, c)
			write(t, c.Name, "patch.json", patch)
			write(t, c.Name, "outcome.yaml", outcome)
			continue
		}
		if c.Patch == "" || c.Outcome == "" {
			t.Errorf("%s has no patch.json or no outcome.yaml: run go test ./test/lbcases -update", c.Name)
		}
	}
}

func write(t *testing.T, name, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(name, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCaseSaysWhatItShows(t *testing.T) {
	for _, c := range load(t) {
		if first, err := os.ReadFile(filepath.Join(c.Name, "pod.yaml")); err != nil || !strings.HasPrefix(string(first), "# ") {
			t.Errorf("%s: pod.yaml does not begin with a comment that says what it shows (%v)", c.Name, err)
		}
	}
}

func TestEveryProblemWarningAndOutcomeHasACase(t *testing.T) {
	seen := map[string]bool{
		// No Pod provokes it: it is an error of our own.
		string(sidecar.Failed): true,
	}
	for _, c := range load(t) {
		var report lbcases.Report
		if err := yaml.UnmarshalStrict([]byte(c.Outcome), &report); err != nil {
			t.Fatalf("%s: outcome.yaml: %v", c.Name, err)
		}
		seen[string(report.Outcome)] = true
		for _, note := range append(report.Problems, report.Warnings...) {
			seen[string(note.Code)] = true
		}
	}
	for _, code := range append(sidecar.Codes(), sidecar.WarningCodes()...) {
		if !seen[string(code)] {
			t.Errorf("no case shows %s", code)
		}
	}
	for _, outcome := range sidecar.Outcomes() {
		if !seen[string(outcome)] {
			t.Errorf("no case has the outcome %s", outcome)
		}
	}
}

func TestEveryAnnotationHasACase(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range load(t) {
		for key := range c.Pod.Annotations {
			seen[strings.TrimPrefix(key, sidecar.Prefix)] = true
		}
	}
	for _, a := range sidecar.Annotations() {
		if !seen[a.Key] {
			t.Errorf("no case has the annotation %s", a.Key)
		}
	}
}

func TestWhatIsSaidIsReadable(t *testing.T) {
	for _, c := range load(t) {
		result, err := c.Inject()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range result.Problems {
			if p.Text == "" || p.Remedy == "" || strings.ContainsAny(p.String(), "\n\r\t") {
				t.Errorf("%s: a problem without text or remedy, or on several lines: %+v", c.Name, p)
			}
		}
		for _, w := range result.Warnings {
			if line := "probeshift: " + string(w.Code) + ": " + w.Text; len(line) >= 120 {
				t.Errorf("%s: a warning of %d bytes: %s", c.Name, len(line), line)
			}
		}
	}
}

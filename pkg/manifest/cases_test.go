package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/manifest"
)

// TestFilesOfTheGoldenCases edits the files of test/manifests one by one. Cases with
// flags and kustomizations need the command.
func TestFilesOfTheGoldenCases(t *testing.T) {
	files, err := filepath.Glob("../../test/manifests/cases/*/before/*")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		if strings.Contains(file, "kustomization") || exists(filepath.Join(filepath.Dir(file), "..", "flags")) {
			continue
		}
		before, err := os.ReadFile(file)
		if err != nil {
			continue // a directory
		}
		after, err := os.ReadFile(strings.Replace(file, "/before/", "/after/", 1))
		if err != nil {
			t.Fatal(err)
		}
		result, err := manifest.Edit(before, manifest.Options{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(string(after), string(result.Content)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		for _, f := range result.Findings {
			if f.Sentence == "" || f.Reason != "" && f.Remedy == "" {
				t.Errorf("%s:%d: no sentence or no remedy for %q", file, f.Line, f.Reason)
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

package manifests_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// onlyProbesChanged proves, without any code of migrate, that files differ in
// probes alone: in the text and in what another YAML parser reads.
func onlyProbesChanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	if len(before) != len(after) {
		t.Fatalf("%d files became %d", len(before), len(after))
	}
	for path, old := range before {
		changed, ok := after[path]
		switch {
		case !ok:
			t.Errorf("%s is gone", path)
		case old != changed:
			if diff := cmp.Diff(outsideProbes(old), outsideProbes(changed)); diff != "" {
				t.Errorf("%s changed outside of its probes:\n%s", path, diff)
			}
			if diff := cmp.Diff(meaning(t, old), meaning(t, changed)); diff != "" {
				t.Errorf("%s means something else outside of its handlers:\n%s", path, diff)
			}
			if strings.Count(old, "\r\n") == strings.Count(old, "\n") && strings.Count(changed, "\r\n") != strings.Count(changed, "\n") {
				t.Errorf("%s mixes line breaks now", path)
			}
			for _, comment := range commentsOf(old) {
				if strings.Count(old, comment) != strings.Count(changed, comment) {
					t.Errorf("%s: comment %q went from %d to %d", path, comment, strings.Count(old, comment), strings.Count(changed, comment))
				}
			}
		}
	}
}

// outsideProbes are the lines of a text that do not stand in a probe, as far as
// indentation shows it: a probe goes on while lines are blank or indented more than
// its key. A line that holds a whole probe in flow style keeps what is in front.
func outsideProbes(text string) []string {
	var kept []string
	inside, indent := false, 0
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " \t")
		depth := len(line) - len(trimmed)
		blank := strings.TrimSpace(line) == ""
		closes := depth == indent && (strings.HasPrefix(trimmed, "}") || strings.HasPrefix(trimmed, ":")) // : is the value of an explicit key
		if inside && (blank || depth > indent || closes) {
			continue
		}
		inside = false
		for _, kind := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
			if at := strings.Index(line, kind); at >= 0 && !strings.Contains(line[:at], "#") {
				inside, indent = true, len(line[:at])-len(strings.TrimLeft(line[:at], " \t"))
				for _, dash := range []string{"- "} { // - livenessProbe: is indented by its dash too
					if strings.HasPrefix(strings.TrimLeft(line[:at], " \t"), dash) {
						indent += len(dash)
					}
				}
				if strings.TrimSpace(line[:at]) != "" {
					kept = append(kept, line[:at])
				}
				break
			}
		}
		if !inside {
			kept = append(kept, line)
		}
	}
	return kept
}

// meaning is what a text means to kubectl's YAML parser, without the handlers and
// timeouts of probes.
func meaning(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for _, document := range splitDocuments(text) {
		var value any
		if err := yaml.Unmarshal([]byte(document), &value); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		all = append(all, withoutHandlers(value))
	}
	return all
}

// splitDocuments cuts a text into its documents, those without content left out.
func splitDocuments(text string) []string {
	var all []string
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		if strings.TrimSpace(document) != "" && !strings.HasPrefix(document, "\n%") { // a directive has no content
			all = append(all, document)
		}
	}
	return all
}

func withoutHandlers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			if probe, ok := below.(map[string]any); ok && strings.HasSuffix(key, "Probe") {
				delete(probe, "exec")
				delete(probe, "grpc")
				delete(probe, "timeoutSeconds")
			}
			withoutHandlers(below)
		}
	case []any:
		for _, below := range value {
			withoutHandlers(below)
		}
	}
	return value
}

// commentsOf are the comments of a text, as far as a line shows them.
func commentsOf(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if _, comment, ok := strings.Cut(line, " #"); ok && !strings.ContainsAny(comment, `"'`) {
			all = append(all, "#"+strings.TrimSpace(comment))
		}
	}
	return all
}

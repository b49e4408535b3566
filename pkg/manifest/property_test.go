package manifest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

var styles = flag.Int("styles", 500, "how many manifests in styles drawn by chance are tried")

// TestStyleNeverChangesTheDecision writes manifests in styles drawn by chance and
// holds the decision against that about the same manifest as plain JSON, and the
// bytes outside of probes against what went in.
func TestStyleNeverChangesTheDecision(t *testing.T) {
	rewritten, left := 0, 0
	for seed := range uint64(*styles) {
		draw := rand.New(rand.NewPCG(seed, 7))
		model := drawManifest(draw)
		plain, err := manifest.Edit(asJSON(model), manifest.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, asJSON(model))
		}
		marked := drawStyle(draw, model)
		text, outside := unmark(marked)
		styled, err := manifest.Edit([]byte(text), manifest.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, text)
		}
		rewritten += countOutcome(styled.Findings, mutate.Rewritten)
		left += countOutcome(styled.Findings, mutate.Skipped)
		want := plain.Findings
		if shared := sharedBlocks(styled.Findings); shared > 0 && strings.Contains(text, "*p") {
			want = excuse(want, styled.Findings)
		}
		ignored := cmpopts.IgnoreFields(manifest.Finding{}, "Line", "Column", "Remarks")
		if diff := cmp.Diff(want, styled.Findings, ignored, cmpopts.SortSlices(before)); diff != "" {
			t.Fatalf("seed %d: the decision (-as JSON +in style):\n%s\n%s", seed, diff, text)
		}
		checkOutside(t, seed, text, string(styled.Content), outside)
		checkComments(t, seed, text, string(styled.Content))
		again, err := manifest.Edit(styled.Content, manifest.Options{})
		if err != nil || again.Changed {
			t.Fatalf("seed %d: a second run changes more (%v):\n%s", seed, err, styled.Content)
		}
		if _, err := yaml.YAMLToJSON(firstDocument(styled.Content)); err != nil {
			t.Fatalf("seed %d: kubectl's parser refuses the result: %v\n%s", seed, err, styled.Content)
		}
	}
	t.Logf("%d probes rewritten, %d left", rewritten, left)
	if rewritten < *styles/2 || left < *styles/20 {
		t.Errorf("too few probes of one sort: %d rewritten, %d left", rewritten, left)
	}
}

// before orders findings of one Pod: the same probe is at another line in another
// style.
func before(a, b manifest.Finding) bool {
	return a.Container+string(a.Probe) < b.Container+string(b.Probe)
}

func countOutcome(findings []manifest.Finding, outcome mutate.Outcome) int {
	n := 0
	for _, f := range findings {
		if f.Outcome == outcome {
			n++
		}
	}
	return n
}

func sharedBlocks(findings []manifest.Finding) int {
	n := 0
	for _, f := range findings {
		if f.Reason == manifest.SharedBlock {
			n++
		}
	}
	return n
}

// excuse takes the findings of probes that were left because they share a block.
func excuse(want, got []manifest.Finding) []manifest.Finding {
	var all []manifest.Finding
	for _, w := range want {
		for _, g := range got {
			if g.Reason == manifest.SharedBlock && before(w, g) == before(g, w) && w.Outcome == mutate.Rewritten {
				w = g
			}
		}
		all = append(all, w)
	}
	return all
}

// drawManifest draws a Pod whose probes are rewritten or left for many reasons.
func drawManifest(draw *rand.Rand) fields {
	commands := [][]any{
		{"/bin/grpc_health_probe", "-addr=:8080"},
		{"/bin/grpc_health_probe", "-addr", "localhost:8080", "-service=shop.v1.Cart"},
		{"grpc_health_probe", "-addr=:8080", "-service=größer \"x\" 'y'", "-connect-timeout=3s"},
		{"sh", "-c", "exec grpc_health_probe -addr=:$PORT"},
		{"sh", "-c", "set -e\nexec timeout 7 grpc_health_probe \\\n  -addr=:8080"},
		{"sh", "-c", "grpc_health_probe -addr=:8080 && true"},
		{"grpc_health_probe", "-addr=:9999"},
		{"grpc_health_probe", "-addr=:8080", "-tls"},
		{"cat", "/ready"},
	}
	var containers []any
	for i := range 1 + draw.IntN(3) {
		c := fields{{"name", fmt.Sprintf("c%d", i)}, {"image", "example.com/cart:1.4.2"}}
		if draw.IntN(2) == 0 {
			c = append(c, entry{"env", []any{fields{{"name", "PORT"}, {"value", []string{"8080", "9999"}[draw.IntN(2)]}}}})
		}
		for _, kind := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
			if draw.IntN(3) == 0 {
				continue
			}
			probe := fields{{"exec", fields{{"command", commands[draw.IntN(len(commands))]}}}}
			for _, field := range []string{"timeoutSeconds", "periodSeconds"} {
				if draw.IntN(2) == 0 {
					probe = append(probe, entry{field, 1 + draw.IntN(9)})
				}
			}
			draw.Shuffle(len(probe), func(i, j int) { probe[i], probe[j] = probe[j], probe[i] })
			c = append(c, entry{kind, probe})
		}
		c = append(c, entry{"ports", []any{fields{{"containerPort", 8080}}}})
		containers = append(containers, c)
	}
	return fields{
		{"apiVersion", "v1"},
		{"kind", "Pod"},
		{"metadata", fields{{"name", "cart"}, {"annotations", fields{{"example.com/note", "naïve: {a, b} # no comment"}}}}},
		{"spec", fields{{"containers", containers}, {"nodeSelector", fields{{"example.com/zone", "a"}}}}},
	}
}

// drawStyle writes a manifest in a style, with marks around its probes.
func drawStyle(draw *rand.Rand, model fields) string {
	w := &writer{Rand: draw, anchors: map[string]string{}}
	if w.chance(15) {
		w.out.WriteString("\ufeff")
	}
	if w.chance(30) {
		w.out.WriteString("# naïve 🚀\n---\n")
	}
	if w.chance(8) {
		w.out.WriteString(w.flow(model, 0) + "\n")
	} else {
		w.block(model, 0)
	}
	if w.chance(30) {
		w.out.WriteString("---\nkind: ConfigMap\ndata: {probe: grpc_health_probe}\n")
	}
	text := w.out.String()
	if w.chance(20) {
		text = strings.TrimSuffix(text, "\n")
	}
	if w.chance(25) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// unmark takes the marks out, and returns the texts outside of probes.
func unmark(marked string) (text string, outside []string) {
	for part := range strings.SplitSeq(marked, probeStart) {
		if len(outside) > 0 {
			_, part, _ = strings.Cut(part, probeEnd)
		}
		outside = append(outside, part)
	}
	return strings.NewReplacer(probeStart, "", probeEnd, "").Replace(marked), outside
}

// checkOutside proves that the texts outside of probes are there byte for byte, in
// their order, with nothing in front of the first and behind the last.
func checkOutside(t *testing.T, seed uint64, text, result string, outside []string) {
	t.Helper()
	if !strings.HasPrefix(result, outside[0]) || !strings.HasSuffix(result, outside[len(outside)-1]) {
		t.Fatalf("seed %d: bytes at an end changed:\n%s\nbecame\n%s", seed, text, result)
	}
	rest := result
	for _, part := range outside {
		_, behind, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("seed %d: these bytes outside of probes are gone: %q\n%s\nbecame\n%s", seed, part, text, result)
		}
		rest = behind
	}
}

// checkComments proves that every comment is there as often as it was.
func checkComments(t *testing.T, seed uint64, text, result string) {
	t.Helper()
	for n := 1; strings.Contains(text, fmt.Sprintf("# c%d-", n)); n++ {
		if strings.Count(result, fmt.Sprintf("# c%d-", n)) != 1 {
			t.Fatalf("seed %d: comment %d was lost or doubled:\n%s\nbecame\n%s", seed, n, text, result)
		}
	}
}

// firstDocument is the first document with content.
func firstDocument(content []byte) []byte {
	for document := range strings.SplitSeq(strings.TrimPrefix(string(content), "\ufeff"), "---") {
		if strings.Contains(document, "kind") {
			return []byte(document)
		}
	}
	return content
}

// asJSON writes a model plainly.
func asJSON(value any) []byte {
	text, err := json.Marshal(plainValue(value))
	if err != nil {
		panic(err)
	}
	return text
}

func plainValue(value any) any {
	switch value := value.(type) {
	case fields:
		m := map[string]any{}
		for _, e := range value {
			m[e.key] = plainValue(e.value)
		}
		return m
	case []any:
		var list []any
		for _, item := range value {
			list = append(list, plainValue(item))
		}
		return list
	}
	return value
}

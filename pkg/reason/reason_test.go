package reason

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared reads the constants of type Code out of this package's source, in
// their order.
func declared(t *testing.T) []Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if value != "" {
			codes = append(codes, Code(value))
		}
		return true
	})
	return codes
}

func TestEveryCodeHasOneEntryInTheOrderOfJudgement(t *testing.T) {
	var listed []Code
	for _, e := range All() {
		listed = append(listed, e.Code)
	}
	if diff := cmp.Diff(declared(t), listed); diff != "" || len(listed) == 0 {
		t.Errorf("(-constants +entries):\n%s", diff)
	}
}

func TestSentencesAndRemediesAreSentences(t *testing.T) {
	seen := map[string]Code{}
	for _, e := range All() {
		for _, text := range []string{e.Code.Sentence(), e.Code.Remedy()} {
			if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n|") {
				t.Errorf("%s: %q is no sentence", e.Code, text)
			}
			if other, ok := seen[text]; ok {
				t.Errorf("%s and %s say the same: %q", other, e.Code, text)
			}
			seen[text] = e.Code
		}
	}
	if None.Sentence() != "" || Code("nonsense").Remedy() != "" {
		t.Error("a code outside of the set has a text")
	}
}

func TestReadmeExplainsEveryCodeInTheSameWords(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.SplitSeq(string(readme), "\n") {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 4 && !strings.Contains(line, "probeshift.dev/webhook") {
			rows = append(rows, line)
		}
	}
	var want []string
	for _, e := range All() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", e.Code, e.Sentence, e.Remedy))
	}
	got := rows[max(0, len(rows)-len(want)):]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README's FAQ of skips (-reason.go +README):\n%s", diff)
	}
}

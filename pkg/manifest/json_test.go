package manifest_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/manifest"
)

const (
	execJSON = `"exec":{"command":["/bin/grpc_health_probe","-addr=:8080","-service=a/💚"]}`
	grpcJSON = `"grpc":{"port":8080,"service":"a/💚"}`
	podJSON  = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","annotations":{"a/ü":"💚\\/\\ud83d"}},
	"spec":{"containers":[{"name":"a","image":"example.com/a:1","ports":[{"containerPort":8080}],"livenessProbe":{` + execJSON + `},
		"readinessProbe":{` + execJSON + `,"timeoutSeconds":2}}]}}`
)

// TestJSONThatYAMLDoesNotReadIsEditedAsIfItDid writes some of the characters as escapes
// that only JSON has, and several values into one file.
func TestJSONThatYAMLDoesNotReadIsEditedAsIfItDid(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var escaped strings.Builder
		values := 1 + draw.IntN(3)
		for range values {
			for _, c := range strings.ReplaceAll(podJSON, "\n", []string{"\n", "\r\n", " ", ""}[draw.IntN(4)]) {
				switch {
				case c == '/' && draw.IntN(2) == 0 && !strings.HasSuffix(escaped.String(), `\`):
					escaped.WriteString(`\/`)
				case c == '💚' && draw.IntN(2) == 0:
					escaped.WriteString(`\ud83d\uDC9A`)
				default:
					escaped.WriteRune(c)
				}
			}
			escaped.WriteString([]string{"", "\n", "\r\n\t", " "}[draw.IntN(4)])
		}
		result, err := manifest.Edit([]byte(escaped.String()), manifest.Options{})
		if err != nil || !result.Changed {
			t.Fatalf("%v: %+v\n%s", err, result.Findings, escaped.String())
		}
		want := valuesOf(t, strings.Repeat(strings.ReplaceAll(podJSON, execJSON, grpcJSON), values))
		if diff := cmp.Diff(want, valuesOf(t, string(result.Content))); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s\n%s", diff, escaped.String(), result.Content)
		}
		for _, f := range result.Findings {
			line := strings.FieldsFunc(strings.ReplaceAll(escaped.String(), "\r\n", "\n"), func(c rune) bool { return c == '\n' })[f.Line-1]
			if at := string([]rune(line)[f.Column-1:]); !strings.HasPrefix(at, `"exec"`) {
				t.Fatalf("%d:%d is at %s", f.Line, f.Column, at)
			}
		}
	}
}

func valuesOf(t *testing.T, text string) (all []any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var value any
		if err := decoder.Decode(&value); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return all
		}
		all = append(all, value)
	}
}

// TestJSONThatIsNotReadIsNotCalledWrong: half of a pair stands for something else in
// each reader.
func TestJSONThatIsNotReadIsNotCalledWrong(t *testing.T) {
	result, err := manifest.Edit([]byte(strings.Replace(podJSON, `"a","annotations"`, `"\ud83d","annotations"`, 1)), manifest.Options{})
	if err != nil || result.Changed || len(result.Findings) != 1 || !strings.HasPrefix(result.Findings[0].Sentence, "The file is JSON, ") {
		t.Errorf("%v: %+v", err, result.Findings)
	}
}

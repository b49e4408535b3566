package discovery_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

var update = flag.Bool("update", false, "write testdata/*/answers.json as the answers now are")

// golden is a folder of testdata: a Service, where there is one, its slices, and
// the names that are asked for.
type golden struct {
	service *corev1.Service
	slices  []*discoveryv1.EndpointSlice
	names   []resource.Name
}

// answer is what a name gets.
type answer struct {
	Name string `json:"name"`
	discovery.Verdict
	// Assignment is null where the name is left to DNS.
	Assignment json.RawMessage `json:"assignment"`
}

func TestAnswersAreAsInTestdata(t *testing.T) {
	eachGolden(t, func(t *testing.T, folder string, g golden) {
		var answers []answer
		for _, name := range g.names {
			result := discovery.Assign(name, g.service, g.slices)
			a := answer{Name: name.String(), Verdict: result.Verdict}
			if result.Assignment != nil {
				a.Assignment = readable(t, result)
			}
			answers = append(answers, a)
		}
		got, err := json.MarshalIndent(answers, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		file := filepath.Join(folder, "answers.json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("the answers differ from %s (-want +got):\n%s", file, diff)
		}
	})
}

func TestEveryReasonHasACase(t *testing.T) {
	seen := map[discovery.Reason]bool{}
	eachGolden(t, func(_ *testing.T, _ string, g golden) {
		for _, name := range g.names {
			seen[discovery.Assign(name, g.service, g.slices).Verdict.Reason] = true
		}
	})
	known := map[discovery.Reason]bool{}
	for _, reason := range discovery.Reasons() {
		known[reason] = true
	}
	if diff := cmp.Diff(known, seen); diff != "" {
		t.Errorf("reasons of the set (-) and of testdata (+):\n%s", diff)
	}
}

// eachGolden runs a test for each folder of testdata.
func eachGolden(t *testing.T, visit func(t *testing.T, folder string, g golden)) {
	t.Helper()
	for folder, g := range goldens(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) { visit(t, folder, g) })
	}
}

// goldens are all folders of testdata.
func goldens(t testing.TB) map[string]golden {
	t.Helper()
	files, err := filepath.Glob("testdata/*/names")
	if err != nil || len(files) == 0 {
		t.Fatal("no folder of testdata has names", err)
	}
	all := map[string]golden{}
	for _, file := range files {
		folder := filepath.Dir(file)
		all[folder] = readGolden(t, folder)
	}
	return all
}

func readGolden(t testing.TB, folder string) golden {
	t.Helper()
	var g golden
	if text := read(t, folder, "service.yaml"); text != nil {
		g.service = &corev1.Service{}
		if err := yaml.UnmarshalStrict(text, g.service); err != nil {
			t.Fatal(err)
		}
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(read(t, folder, "slices.yaml"))))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		slice := &discoveryv1.EndpointSlice{}
		if err := yaml.UnmarshalStrict(text, slice); err != nil {
			t.Fatal(err)
		}
		g.slices = append(g.slices, slice)
	}
	for line := range strings.Lines(string(read(t, folder, "names"))) {
		name, err := resource.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		g.names = append(g.names, name)
	}
	return g
}

// read reads a file of a folder, nil where there is none.
func read(t testing.TB, folder, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}

// readable is an assignment as JSON with the field names of Envoy's
// documentation.
func readable(t *testing.T, result discovery.Result) json.RawMessage {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(result.Assignment)
	if err != nil {
		t.Fatal(err)
	}
	// protojson varies its white space on purpose.
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

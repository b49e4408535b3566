package golden_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/test/golden"
)

const pod = "metadata: {name: app}\n"

// settings are what the cases of these tests hold beside a Pod.
type settings struct {
	Audit bool `json:"audit,omitempty"`
}

// readSettings reads them and names the case.
func readSettings(f golden.Folder) (map[string]settings, error) {
	var s settings
	err := f.Settings("policy.yaml", &s)
	return map[string]settings{f.Name + " of " + f.Pod.Name + " " + f.Patch: s}, err
}

func TestCasesAreReadInTheOrderOfTheirNames(t *testing.T) {
	got, err := golden.Load(fstest.MapFS{
		"b/pod.yaml":    {Data: []byte(pod)},
		"a/pod.yaml":    {Data: []byte(pod)},
		"a/policy.yaml": {Data: []byte("audit: true\n")},
		"a/patch.json":  {Data: []byte("[]")},
	}, readSettings)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]settings{{"a of app []": {Audit: true}}, {"b of app ": {}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestATypingErrorIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"a field that no Pod has":     {fstest.MapFS{"a/pod.yaml": {Data: []byte("metadata: {nam: app}\n")}}, "case a: pod.yaml: "},
		"a field that is there twice": {fstest.MapFS{"a/pod.yaml": {Data: []byte(pod + pod)}}, "case a: pod.yaml: "},
		"off for a string":            {fstest.MapFS{"a/pod.yaml": {Data: []byte("metadata: {name: off}\n")}}, "case a: pod.yaml: "},
		"no Pod":                      {fstest.MapFS{"a/policy.yaml": {}}, "case a: pod.yaml: "},
		"a setting that is none":      {fstest.MapFS{"a/pod.yaml": {Data: []byte(pod)}, "a/policy.yaml": {Data: []byte("audits: true\n")}}, "case a: policy.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := golden.Load(c.files, readSettings); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want one that begins with %q", err, c.want)
			}
		})
	}
}

func TestFilesAreWrittenForPeople(t *testing.T) {
	value := map[string]any{"sign": "<&>", "list": []int{1}}
	text, err := golden.JSON(value)
	if want := "{\n  \"list\": [\n    1\n  ],\n  \"sign\": \"<&>\"\n}\n"; err != nil || text != want {
		t.Errorf("JSON (%v):\n%s", err, text)
	}
	text, err = golden.YAML(value)
	if want := "list:\n  - 1\nsign: <&>\n"; err != nil || text != want {
		t.Errorf("YAML (%v):\n%s", err, text)
	}
}

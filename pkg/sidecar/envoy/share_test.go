package envoy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestWhatRepeatsIsWrittenOnce(t *testing.T) {
	for document, want := range map[string]string{
		`{"a":1}`: `{"a":1}`,
		// Too short to be worth it.
		`[{"a":1},{"a":1}]`: `[{"a":1},{"a":1}]`,
		`{"x":{"name":"a long enough name"},"y":{"name":"a long enough name"}}`: `{"x":&1 {"name":"a long enough name"},"y":*1 }`,
		`["type.googleapis.com/a.b.C",2,"type.googleapis.com/a.b.C"]`:           `[&1 "type.googleapis.com/a.b.C",2,*1 ]`,
		`[[["type.googleapis.com/a.b.C"]],[["type.googleapis.com/a.b.C"]]]`:     `[&1 [["type.googleapis.com/a.b.C"]],*1 ]`,
		// A part that also occurs alone has an anchor of its own.
		`[["type.googleapis.com/a.b.C"],["type.googleapis.com/a.b.C"],"type.googleapis.com/a.b.C"]`: `[&1 [&2 "type.googleapis.com/a.b.C"],*1 ,*2 ]`,
	} {
		got, err := share(document)
		if err != nil || got != want {
			t.Errorf("%s\ngot  %s (%v)\nwant %s", document, got, err, want)
		}
	}
}

func TestADocumentThatEndsEarlyIsAnError(t *testing.T) {
	for _, document := range []string{``, `{`, `{"a"`, `{"a":`, `[1`, `[1,`, `{"a":[}`} {
		if got, err := share(document); err == nil {
			t.Errorf("%s became %s", document, got)
		}
	}
}

// FuzzShare checks that a reader of YAML finds in the shared form what a reader of
// JSON finds in the document.
func FuzzShare(f *testing.F) {
	f.Add(`{"x":{"name":"a long enough name"},"y":[{"name":"a long enough name"},null,true,-1.5e3]}`)
	f.Add(`["& * # ! | > % @ , : - { } [ ]","& * # ! | > % @ , : - { } [ ]","$(POD_IP) \\ \" \t"]`)
	f.Fuzz(func(t *testing.T, document string) {
		var want, got any
		// YAML has no keys of more than 1024 characters.
		if len(document) > 1000 || !printable(document) || json.Unmarshal([]byte(document), &want) != nil {
			return // nothing that a bootstrap is
		}
		// A bootstrap has no key twice.
		once, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		text, err := share(string(once))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	})
}

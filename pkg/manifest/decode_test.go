package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestScalarsAreReadAsKubectlReadsThem compares with the YAML parser of kubectl.
func TestScalarsAreReadAsKubectlReadsThem(t *testing.T) {
	for text := range strings.SplitSeq(`0|1|-1|+4|007|0777|0o11|0x1F90|0b101|1_000|9223372036854775807|9223372036854775808|18446744073709551615
1.5|.5|1.|1e3|1E-3|-0.0|0x1p4|1e400|.inf|.nan|12e03|1:30|190:20:30|1,000
true|True|TRUE|false|yes|Yes|no|NO|on|Off|y|Y|n|N|yEs|null|Null|~|""|''|"yes"|'1'|"null"
2024-01-02|2024-01-02T03:04:05Z|2024-1-2|12:30:45|=|<|a b|:8080|-addr=:8080|@x|%x|a#b|"\u00fc\x41\n"|'it''s'|!!str 1|!!int "7"|!!float 1|!!bool "true"|!!binary aGk=`, "|") {
		for one := range strings.SplitSeq(text, "\n") {
			t.Run(one, func(t *testing.T) {
				theirs, theirErr := yaml.YAMLToJSON([]byte("x: " + one + "\n"))
				documents, err := parse([]byte("x: " + one + "\n"))
				if err != nil || theirErr != nil {
					if (err != nil) != (theirErr != nil) {
						t.Logf("only one parser takes it: %v, kubectl's: %v", err, theirErr)
					}
					return // what does not parse is not edited
				}
				value, err := (&converter{left: 10}).mapping(documents[0].Content[0], 0)
				if err != nil {
					t.Logf("not decoded: %v", err)
					return // nor is what does not decode
				}
				ours, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				var a, b any
				if json.Unmarshal(theirs, &a) != nil || json.Unmarshal(ours, &b) != nil {
					t.Fatalf("no JSON: %s, %s", theirs, ours)
				}
				if diff := cmp.Diff(a, b); diff != "" {
					t.Errorf("(-kubectl +ours):\n%s", diff)
				}
			})
		}
	}
}

// TestMergesAreReadAsKubectlReadsThem: where readers differ, nothing is read.
func TestMergesAreReadAsKubectlReadsThem(t *testing.T) {
	for text, refused := range map[string]bool{
		"x: {<<: *one, a: 9}":                           false,
		"x: {a: 9, <<: *one}":                           true,
		"x: {a: , <<: *one}":                            true,
		"x: {c: 9, <<: *one}":                           false,
		"x: {<<: [*one, *two]}":                         false,
		"x: {a: 9, <<: [*two, *one]}":                   true,
		"x: {<<: *one, <<: *two}":                       true,
		"x: {c: 9, <<: {<<: *one, a: 5}}":               false,
		"x: {a: 9, <<: {<<: *one, c: 5}}":               true,
		"x: {<<: {a: 5, <<: *one}}":                     true,
		"x: {a: 9, \"<<\": 1}":                          false,
		"x: {v: {<<: *one}, a: 9, z: {<<: *two, a: 1}}": false,
	} {
		t.Run(text, func(t *testing.T) {
			src := []byte("one: &one {a: 1, b: 1}\ntwo: &two {a: 2, b: 2}\n" + text + "\n")
			documents, err := parse(src)
			if err != nil {
				t.Fatal(err)
			}
			clash := newDocument(newText(src), documents[0]).clash()
			if (clash != nil) != refused {
				t.Errorf("clash: %v", clash)
			}
			value, err := (&converter{left: 100}).mapping(documents[0].Content[0], 0)
			if err != nil {
				t.Fatal(err)
			}
			var theirs map[string]any
			if err := yaml.Unmarshal(src, &theirs); err != nil {
				t.Fatal(err)
			}
			ours, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			same, err := json.Marshal(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(same, ours) == refused {
				t.Errorf("kubectl reads %s, we %s", same, ours)
			}
		})
	}
}

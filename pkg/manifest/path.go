package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// anyItem stands for every item of a list in a path.
const anyItem = "*"

// Path says where a kind holds a Pod template.
type Path struct {
	group, kind string
	anyGroup    bool
	elements    []string
	// text is the path as it was given, and kindLine what a document of the kind
	// holds.
	text     string
	kindLine *regexp.Regexp
}

var pathForm = regexp.MustCompile(`^(?:([a-z0-9.-]+)/)?([A-Za-z][A-Za-z0-9]*)=\.?([^=]+)$`)

var elementForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// ParsePath reads [GROUP/]KIND=PATH, where PATH names the fields that lead to the
// Pod template (what holds metadata and spec of the Pod), with [] behind a list:
//
//	Elasticsearch=spec.nodeSets[].podTemplate
//	example.com/Worker=spec.template
//
// Without a group every group matches.
func ParsePath(s string) (Path, error) {
	form := pathForm.FindStringSubmatch(s)
	if form == nil {
		return Path{}, fmt.Errorf("--path=%q is no path: write [GROUP/]KIND=FIELD.FIELD, such as Worker=spec.template", s)
	}
	p := Path{
		group: form[1], kind: form[2], anyGroup: form[1] == "", text: s,
		kindLine: regexp.MustCompile(`\bkind["']?\s*:\s*["']?` + form[2] + `(?:List)?\b`),
	}
	for element := range strings.SplitSeq(form[3], ".") {
		name, list := strings.CutSuffix(element, "[]")
		if !elementForm.MatchString(name) {
			return Path{}, fmt.Errorf("--path=%q: %q is no field: write letters and digits, and [] behind a list", s, element)
		}
		p.elements = append(p.elements, name)
		if list {
			p.elements = append(p.elements, anyItem)
		}
	}
	return p, nil
}

// Unmatched is what a person is told of a path that no document may match.
func (p Path) Unmatched() string {
	kind, _, _ := strings.Cut(p.text, "=")
	return fmt.Sprintf("--path=%s: no document is of kind %s", p.text, kind)
}

// MayMatch says whether a document of the kind may stand in a text: by its words
// alone, since only documents that name the tool are parsed.
func (p Path) MayMatch(content []byte) bool {
	// The plain searches come first: most files hold neither, and they cost little.
	return bytes.Contains(content, []byte(p.kind)) && (p.group == "" || bytes.Contains(content, []byte(p.group+"/"))) && p.kindLine.Match(content)
}

// fields are the fields that lead to the Pod template, as they were given.
func (p Path) fields() string {
	_, fields, _ := strings.Cut(p.text, "=")
	return strings.TrimPrefix(fields, ".")
}

func (p Path) matches(o object) bool {
	return p.kind == o.kind && (p.anyGroup || p.group == o.group)
}

// join appends to a path without touching what others have appended to it.
func join(path []string, elements ...string) []string {
	return append(slices.Clip(path), elements...)
}

func itoa(i int) string { return strconv.Itoa(i) }

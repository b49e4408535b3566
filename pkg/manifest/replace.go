package manifest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
)

// edit replaces a range of a text.
type edit struct {
	span
	text string
}

// apply carries edits out. They must not overlap.
func apply(src []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(src[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(src[at:])
	return out.Bytes()
}

// replaceExec writes a grpc handler in the place of an exec one: the key and the
// value each where they stand, and what is between them as it is. step is the
// indentation to use where the old value shows none.
func (t *text) replaceExec(exec slot, action *corev1.GRPCAction, step int) ([]edit, error) {
	s := style{step: step}
	key, err := t.replaceKey(exec, &s)
	if err != nil {
		return nil, err
	}
	value := exec.value()
	var edits []edit
	switch {
	case value.Kind == yaml.AliasNode && exec.owner.Style&yaml.FlowStyle == 0:
		edits, err = t.replaceAlias(exec, action, s)
	case value.Kind == yaml.AliasNode:
		from, e := t.head(value)
		edits, err = []edit{{span{from, from + 1 + len(value.Value)}, "{" + s.flow(nativePairs(action, s, comments{})) + "}"}}, e
	case value.Style&yaml.FlowStyle != 0:
		edits, err = t.replaceFlow(exec, action, s)
	default:
		edits, err = t.replaceBlock(exec, action, s)
	}
	return append(edits, key), err
}

// replaceKey renames the key exec, in the quotes that it has.
func (t *text) replaceKey(exec slot, s *style) (edit, error) {
	key := exec.key()
	at, err := t.extent(key, exec.owner)
	if err != nil {
		return edit{}, err
	}
	s.eol = t.eol(at.from)
	written := string(t.src[at.from:at.to])
	switch written {
	case "exec":
	case `"exec"`, `'exec'`:
		s.quote = written[:1]
	default:
		return edit{}, lostError{key.Line}
	}
	return edit{at, s.quote + "grpc" + s.quote}, nil
}

// replaceBlock replaces a value in block style.
func (t *text) replaceBlock(exec slot, action *corev1.GRPCAction, s style) ([]edit, error) {
	value := exec.value()
	kept, old, err := t.gather(value, exec.owner)
	if err != nil {
		return nil, err
	}
	old.to = t.takeLast(&kept, old.from, old.to)
	lines := append(slices.Clone(kept.own), s.block(nativePairs(action, s, kept), value.Content[0].Column-1))
	edits := []edit{{old, strings.Join(lines, s.newLine(value.Content[0].Column-1))}}
	if value.Anchor != "" { // a name for a block that is gone
		anchor, err := t.head(value)
		if err != nil {
			return nil, err
		}
		if at := bytes.Index(t.src[anchor:old.from], []byte("&"+value.Anchor)); at >= 0 {
			first, last := anchor+at, anchor+at+1+len(value.Anchor)
			for first > 0 && isBlank(t.src[first-1]) {
				first--
			}
			edits = append(edits, edit{span{first, last}, ""})
		}
	}
	return edits, nil
}

// takeLast takes the comment behind the last word of a block: it belongs to the port
// where that word is the address, stays where it is behind a service, and gets a line
// of its own otherwise. It returns the new end.
func (t *text) takeLast(kept *comments, from, to int) int {
	line := t.src[max(t.lineStart(to), from):to]
	rest := t.src[to:t.lineEnd(to)]
	comment := bytes.TrimLeft(rest, " \t")
	if !bytes.HasPrefix(comment, []byte("#")) || len(comment) == len(rest) || bytes.Contains(line, []byte("service")) {
		return to
	}
	text := strings.TrimRight(string(comment), " \t")
	if kept.port == "" && bytes.Contains(line, []byte("addr")) {
		kept.port = text
	} else {
		kept.own = append(kept.own, text)
	}
	return to + len(rest)
}

// replaceAlias replaces an alias as the value of exec in a block.
func (t *text) replaceAlias(exec slot, action *corev1.GRPCAction, s style) ([]edit, error) {
	value := exec.value()
	from, err := t.head(value)
	if err != nil {
		return nil, err
	}
	to := from + 1 + len(value.Value)
	for from > 0 && isBlank(t.src[from-1]) {
		from--
	}
	indent := exec.owner.Column - 1 + s.step
	return []edit{{span{from, to}, s.newLine(indent) + s.block(nativePairs(action, s, comments{}), indent)}}, nil
}

// stepOf is the indentation of block mappings below their keys, as the first of
// some mappings that shows one has it; 2 where none does.
func stepOf(mappings ...*yaml.Node) int {
	for _, m := range mappings {
		for i := 0; i+1 < len(m.Content); i += 2 {
			key, value := m.Content[i], m.Content[i+1]
			block := value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0
			if block && value.Content[0].Column > key.Column {
				return value.Content[0].Column - key.Column
			}
		}
	}
	return 2
}

// replaceFlow replaces a value in flow style, on one line or on several as it was.
func (t *text) replaceFlow(exec slot, action *corev1.GRPCAction, s style) ([]edit, error) {
	value := exec.value()
	kept, old, err := t.gather(value, exec.owner)
	if err != nil {
		return nil, err
	}
	t.adoptStyle(&s, value, old.to)
	pairs := nativePairs(action, s, comments{})
	inner := t.skipBlanks(old.from + 1)
	broken := inner < old.to && (breakAt(t.src, inner) > 0 || t.src[inner] == '#')
	if above := kept.all(); broken || len(above) > 0 {
		return []edit{{old, t.brokenFlow(value, old, broken, s, above, pairs)}}, nil
	}
	inside := s.flow(pairs)
	if t.src[old.from+1] == ' ' { // { command: [...] }
		inside = " " + inside + " "
	}
	return []edit{{old, "{" + inside + "}"}}, nil
}

// adoptStyle takes the quotes of keys over from a flow mapping, and whether blanks
// follow its colons: "command":[...] is how programs write JSON.
func (t *text) adoptStyle(s *style, value *yaml.Node, to int) {
	if len(value.Content) == 0 {
		return
	}
	key := value.Content[0]
	if s.quote == "" && key.Style&yaml.DoubleQuotedStyle != 0 {
		s.quote = `"`
	}
	if s.quote != `"` {
		return
	}
	at, err := t.keyEnd(key, value)
	s.tight = err == nil && at < to && !isBlank(t.src[at]) && breakAt(t.src, at) == 0
}

// brokenFlow is a flow mapping on several lines: the comments first, then a field
// on each line, indented as the fields were that it replaces.
func (t *text) brokenFlow(value *yaml.Node, old span, broken bool, s style, above []string, pairs []pair) string {
	outer := string(leadingBlanks(t.src[t.lineStart(old.to):old.to]))
	indent := outer + "  "
	if broken && len(value.Content) > 0 {
		if first, err := t.head(value.Content[0]); err == nil {
			indent = string(leadingBlanks(t.src[t.lineStart(first):first]))
		}
	}
	lines := slices.Clone(above)
	for i, p := range pairs {
		text := s.flow([]pair{p})
		if i < len(pairs)-1 {
			text += ","
		}
		lines = append(lines, text)
	}
	return "{" + s.eol + indent + strings.Join(lines, s.eol+indent) + s.eol + outer + "}"
}

func (t *text) skipBlanks(at int) int {
	for at < len(t.src) && isBlank(t.src[at]) {
		at++
	}
	return at
}

func leadingBlanks(line []byte) []byte {
	return line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
}

// replaceScalar writes a number in the place of a scalar or alias.
func (t *text) replaceScalar(at slot, number int32) (edit, error) {
	from, err := t.head(at.value())
	if err != nil {
		return edit{}, err
	}
	to, err := t.end(at.value(), at.owner)
	return edit{span{from, to}, strconv.Itoa(int(number))}, err
}

package manifest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// fields is a mapping with an order.
type fields []entry

type entry struct {
	key   string
	value any // fields, []any, string or int
}

// probeStart and probeEnd mark the text of a probe while it is written.
const (
	probeStart = "\ue100"
	probeEnd   = "\ue101"
)

// writer writes a model as YAML in styles drawn by chance.
type writer struct {
	*rand.Rand
	comments int
	anchors  map[string]string // name by what it stands for
	out      strings.Builder
}

func (w *writer) chance(percent int) bool { return w.IntN(100) < percent }

// comment is a comment that is there only once, or nothing.
func (w *writer) comment(percent int) string {
	if !w.chance(percent) {
		return ""
	}
	w.comments++
	return fmt.Sprintf("# c%d-é:\t{[\"'", w.comments)
}

// behind is a comment behind something, or nothing.
func (w *writer) behind() string {
	if c := w.comment(20); c != "" {
		return []string{" ", "   ", "\t", " \t "}[w.IntN(4)] + c
	}
	return strings.Repeat(" ", max(0, w.IntN(6)-4))
}

// between writes blank lines and comments between the lines of a block.
func (w *writer) between(indent int) {
	if w.chance(10) {
		w.out.WriteString("\n") // with blanks it would belong to a block scalar
	}
	if c := w.comment(12); c != "" {
		w.out.WriteString(strings.Repeat(" ", indent) + c + "\n")
	}
}

// key writes a key in one of its forms.
func (w *writer) key(key string) string {
	switch w.IntN(8) {
	case 0:
		return `"` + key + `"`
	case 1:
		return "'" + key + "'"
	}
	return key
}

// block writes fields as a block mapping whose first key stands where the text is.
func (w *writer) block(m fields, indent int) {
	for i, e := range m {
		if i > 0 {
			w.between(indent)
			w.out.WriteString(strings.Repeat(" ", indent))
		}
		isProbe := strings.HasSuffix(e.key, "Probe")
		if isProbe {
			w.out.WriteString(probeStart)
		}
		w.out.WriteString(w.key(e.key) + ":")
		w.below(e.value, indent, isProbe)
		if isProbe {
			w.out.WriteString(probeEnd)
		}
	}
}

// below writes the value of a key or item in a block, and the line's end.
func (w *writer) below(value any, indent int, mayShare bool) {
	anchor := ""
	if mayShare {
		text := fmt.Sprint(value)
		if name, ok := w.anchors[text]; ok && w.chance(60) {
			w.out.WriteString(" *" + name + w.behind() + "\n")
			return
		}
		if w.chance(25) {
			anchor = " &" + "p" + strconv.Itoa(len(w.anchors))
			w.anchors[text] = anchor[2:]
		}
	}
	switch value := value.(type) {
	case fields:
		if w.chance(20) {
			w.out.WriteString(anchor + " " + w.flow(value, indent+1) + w.behind() + "\n")
			return
		}
		step := 1 + w.IntN(5)
		behind := w.behind()
		if strings.HasSuffix(w.out.String(), "-") { // the parser takes no tab there
			behind = strings.ReplaceAll(behind, "\t", " ")
		}
		w.out.WriteString(anchor + behind + "\n")
		w.between(indent + step)
		w.out.WriteString(strings.Repeat(" ", indent+step))
		w.block(value, indent+step)
	case []any:
		if w.chance(35) {
			w.out.WriteString(" " + w.flow(value, indent+1) + w.behind() + "\n")
			return
		}
		w.out.WriteString(w.behind() + "\n")
		w.list(value, indent+w.IntN(4))
	default:
		w.out.WriteString(" " + w.scalar(value, indent, true) + "\n")
	}
}

// list writes a block sequence.
func (w *writer) list(items []any, indent int) {
	for _, item := range items {
		w.between(indent)
		gap := 1 + w.IntN(3)
		w.out.WriteString(strings.Repeat(" ", indent) + "-")
		if m, ok := item.(fields); ok && w.chance(80) {
			w.out.WriteString(strings.Repeat(" ", gap))
			w.block(m, indent+1+gap)
			continue
		}
		w.below(item, indent, false)
	}
}

// flow is a value in flow style, its continuation lines at least at an indent.
func (w *writer) flow(value any, indent int) string {
	space := func() string {
		switch w.IntN(10) {
		case 0:
			return "\n" + strings.Repeat(" ", indent+w.IntN(4))
		case 1:
			if c := w.comment(50); c != "" {
				return " " + c + "\n" + strings.Repeat(" ", indent)
			}
			return ""
		case 2:
			return "  "
		}
		return ""
	}
	var parts []string
	opening, closing := "[", "]"
	switch value := value.(type) {
	case fields:
		opening, closing = "{", "}"
		for _, e := range value {
			text := w.key(e.key) + ": " + w.flow(e.value, indent)
			if strings.HasSuffix(e.key, "Probe") {
				text = probeStart + text + probeEnd
			}
			parts = append(parts, text)
		}
	case []any:
		for _, item := range value {
			parts = append(parts, w.flow(item, indent))
		}
	default:
		return w.scalar(value, indent, false)
	}
	text := opening + space()
	for i, part := range parts {
		text += part + space()
		if i < len(parts)-1 || w.chance(10) {
			text += "," + " " + space()
		}
	}
	return text + closing
}

var safePlain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./=-]*( [A-Za-z0-9_./=-]+)*$`)

// scalar is a scalar in one of its styles. In a block it may end in a comment.
func (w *writer) scalar(value any, indent int, block bool) string {
	end := ""
	if block {
		end = w.behind()
	}
	if n, ok := value.(int); ok {
		return strconv.Itoa(n) + end
	}
	text := value.(string)
	encoded, _ := json.Marshal(text)
	forms := []string{string(encoded) + end}
	if !strings.Contains(text, "\n") {
		forms = append(forms, "'"+strings.ReplaceAll(text, "'", "''")+"'"+end)
	}
	if safePlain.MatchString(text) {
		forms = append(forms, text+end, text+end)
		if first, rest, ok := strings.Cut(text, " "); ok {
			forms = append(forms, first+"\n"+strings.Repeat(" ", indent+2)+rest+end)
		}
	}
	if block && text != "" && strings.TrimSpace(text) == text {
		deeper := "\n" + strings.Repeat(" ", indent+1+w.IntN(4))
		forms = append(forms, "|-"+end+deeper+strings.ReplaceAll(text, "\n", deeper))
		if !strings.Contains(text, "\n") {
			forms = append(forms, ">-"+end+deeper+text)
		}
	}
	return forms[w.IntN(len(forms))]
}

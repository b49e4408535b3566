package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// pair is a field to write, with the comment behind it.
type pair struct {
	key, value string
	comment    string
	// below are the fields of a mapping; value is empty then.
	below []pair
	// above are comments in front of the fields below, each on its own line.
	above []string
}

// style is how an author writes.
type style struct {
	// quote is what stands around keys: ", ' or nothing.
	quote string
	// eol is the line break.
	eol string
	// step is the indentation of a mapping below its key, in spaces.
	step int
	// tight leaves out the blanks behind colons and commas of flow style.
	tight bool
}

// nativePairs are the fields of a grpc handler. The service is always written
// out, as the webhook does.
func nativePairs(action *corev1.GRPCAction, s style, c comments) []pair {
	pairs := []pair{{key: "port", value: strconv.Itoa(int(action.Port)), comment: c.port}}
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	pairs = append(pairs, pair{key: "service", value: s.text(service), comment: c.service})
	if action.Mode != nil {
		pairs = append(pairs, pair{key: "mode", value: s.text(string(*action.Mode))})
	}
	return pairs
}

// plainText are texts that YAML reads as text without quotes: a letter first, and
// none of the words that are something else.
var (
	plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)
	notText   = regexp.MustCompile(`^(?i:y|yes|n|no|true|false|on|off|null)$`)
)

// text writes a text: plain where it can be, quoted as keys are otherwise.
func (s style) text(value string) string {
	if s.quote != `"` && plainText.MatchString(value) && !notText.MatchString(value) {
		return value
	}
	if s.quote == "'" && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return `""` // a string always encodes
	}
	var out strings.Builder
	for _, c := range string(encoded) {
		if notInYAML(c) {
			fmt.Fprintf(&out, `\u%04x`, c)
		} else {
			out.WriteRune(c)
		}
	}
	return out.String()
}

// notInYAML says whether a character that JSON may hold as it is has to be escaped in
// YAML: it does not parse, or is a line break.
func notInYAML(c rune) bool {
	return c >= 0x7f && c < 0xa0 || c == 0xfeff || c == 0xfffe || c == 0xffff
}

// block writes fields in block style, each but the first behind a line break and
// the indent. The first is written where the text already stands.
func (s style) block(pairs []pair, indent int) string {
	var out strings.Builder
	for i, p := range pairs {
		if i > 0 {
			out.WriteString(s.newLine(indent))
		}
		out.WriteString(s.quote + p.key + s.quote + ":")
		if p.below == nil {
			out.WriteString(" " + p.value)
		}
		if p.comment != "" {
			out.WriteString("  " + p.comment)
		}
		if p.below != nil {
			for _, comment := range p.above {
				out.WriteString(s.newLine(indent+s.step) + comment)
			}
			out.WriteString(s.newLine(indent+s.step) + s.block(p.below, indent+s.step))
		}
	}
	return out.String()
}

func (s style) newLine(indent int) string { return s.eol + strings.Repeat(" ", indent) }

// flow writes fields in flow style, without the braces.
func (s style) flow(pairs []pair) string {
	texts := make([]string, 0, len(pairs))
	for _, p := range pairs {
		value := p.value
		if p.below != nil {
			value = "{" + s.flow(p.below) + "}"
		}
		colon := ": "
		if s.tight {
			colon = ":"
		}
		texts = append(texts, s.quote+p.key+s.quote+colon+value)
	}
	if s.tight {
		return strings.Join(texts, ",")
	}
	return strings.Join(texts, ", ")
}

package admission

import (
	"bytes"
	"strings"
)

/*
A Pod concerns us only when its JSON holds a name of the tool or an annotation
of ours. Most Pods do not, and a search of the bytes shows it at a fraction of
what decoding costs. It may err on one side only: a body that holds nothing of
ours may be taken for one that does, never the other way round.

JSON can spell a letter as an escape (\u0067rpc_health_probe), so a body with
an escape that might be a letter counts as one that concerns us. The escapes
that encoders write in everyday Pods (<, >, &, two line separators, and the
replacement for invalid UTF-8) are none. A slash can be written as \/, which is
why the needles hold no slash.
*/

// mentions searches bodies for what concerns us.
type mentions struct {
	needles [][]byte
	// always is set when a configured name can be spelled in JSON in more
	// than one way, so that a search proves nothing.
	always bool
}

func newMentions(toolNames []string) mentions {
	m := mentions{needles: [][]byte{
		[]byte("grpc_health_probe"), []byte("grpc-health-probe"), []byte("probeshift.dev"),
	}}
	for _, name := range toolNames {
		m.needles = append(m.needles, []byte(name))
		m.always = m.always || strings.ContainsFunc(name, spelledVariously)
	}
	return m
}

// in says whether the body may concern us.
func (m mentions) in(body []byte) bool {
	if m.always {
		return true
	}
	for _, needle := range m.needles {
		if bytes.Contains(body, needle) {
			return true
		}
	}
	return hidesLetters(body)
}

// hidesLetters says whether the body holds an escape that may stand for a
// letter. An escaped backslash before a u counts too, which does no harm.
func hidesLetters(body []byte) bool {
	for {
		at := bytes.Index(body, []byte(`\u`))
		if at < 0 {
			return false
		}
		body = body[at+2:]
		if len(body) < 4 {
			return true
		}
		switch string(body[:4]) {
		case "003c", "003e", "0026", "2028", "2029", "fffd":
		default:
			return true
		}
	}
}

// spelledVariously says whether an encoder may write a character as a short
// escape, or as one of the escapes that hidesLetters passes over.
func spelledVariously(c rune) bool {
	return c < ' ' || c > '~' || strings.ContainsRune(`"\/<>&`, c)
}

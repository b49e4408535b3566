package sidecar

import (
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
An address in a manifest may be put together from variables, as in
http://$(GREETER_HOST):8080. So a text is first cut into pieces, each with the
text that the kubelet makes of it (third_party/forked/golang/expansion of
k8s.io/kubernetes): literal text, and references $(NAME). Addresses are looked for
in the whole; what is changed is the manifest's text alone.
*/

// unknown stands for a value that the manifest does not hold. It counts as a
// letter of a host name, so that nothing is taken for a whole one beside it.
const unknown = "\uE000"

const (
	// maxExpanded bounds what references may make of a text, in bytes. More
	// counts as unknown.
	maxExpanded = 64 << 10
	// maxTexts bounds what is looked through of one Pod, in bytes of expanded
	// text: a value of some bytes can stand for another of many, again and again.
	maxTexts = 16 << 20
)

// piece is a part of a text as it is written and as the kubelet expands it.
type piece struct {
	source, expanded string
	isReference      bool
}

// cut cuts a text into pieces.
func cut(text string, variables map[string]string) []piece {
	var pieces []piece
	literal := func(s string) {
		if s != "" {
			pieces = append(pieces, piece{source: s, expanded: s})
		}
	}
	last := strings.LastIndexByte(text, ')') // no reference ends behind it
	begin, at := 0, 0                        // of a literal piece, and where to look on
	for {
		next := strings.IndexByte(text[at:], '$')
		if at += next; next < 0 || at == len(text)-1 {
			literal(text[begin:])
			return pieces
		}
		switch {
		case text[at+1] == '$':
			literal(text[begin:at])
			pieces = append(pieces, piece{source: "$$", expanded: "$", isReference: true})
			at += 2
			begin = at
		case text[at+1] == '(' && at < last:
			literal(text[begin:at])
			end := at + strings.IndexByte(text[at:], ')') + 1
			pieces = append(pieces, piece{text[at:end], value(variables, text[at+2:end-1]), true})
			begin, at = end, end
		default:
			at++
		}
	}
}

// value is what a reference expands to.
func value(variables map[string]string, variable string) string {
	if v, known := variables[variable]; known {
		return v
	}
	return unknown
}

// expand is the whole text as the kubelet expands it.
func expand(pieces []piece) string {
	if len(pieces) == 1 {
		return pieces[0].expanded
	}
	var b strings.Builder
	for _, p := range pieces {
		if b.Len()+len(p.expanded) > maxExpanded && p.isReference {
			return unknown
		}
		b.WriteString(p.expanded)
	}
	return b.String()
}

// variables follows a container's env list, in which a value may refer to those
// before it.
type variables struct {
	known     map[string]string
	namespace string
	// left is what may still be expanded for this Pod, in bytes.
	left *int
}

// expand expands a text, and counts what comes of it.
func (v variables) expand(pieces []piece) string {
	if *v.left < 0 {
		return unknown
	}
	expanded := expand(pieces)
	*v.left -= len(expanded)
	return expanded
}

// define notes a variable after those before it.
func (v variables) define(env corev1.EnvVar) {
	switch from := env.ValueFrom; {
	case from == nil:
		v.known[env.Name] = v.expand(cut(env.Value, v.known))
	case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace":
		v.known[env.Name] = v.namespace
	default:
		v.known[env.Name] = unknown
	}
}

// token is a <host>:<port> in an expanded text: bytes from begin to end, the
// host up to colon.
type token struct {
	begin, colon, end int
	host              string
	port              uint16
	// inPath says that the host follows a path, as in the name of an image,
	// registry/library/cache:7.
	inPath bool
}

// tokens finds every <host>:<port> that stands alone: mygreeter:8080 is not
// greeter:8080.
func tokens(text string) []token {
	var found []token
	for at := range len(text) {
		if text[at] != ':' {
			continue
		}
		begin, end := at, at+1
		for begin > 0 && isHostByte(text[begin-1]) {
			begin--
		}
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		port, ok := readPort(text[at+1 : end])
		if begin == at || !ok || goesOn(text[end:]) {
			continue
		}
		inPath := begin > 1 && text[begin-1] == '/' && text[begin-2] != '/'
		found = append(found, token{begin, at, end, strings.ToLower(text[begin:at]), port, inPath})
	}
	return found
}

// goesOn says whether what follows a port makes another word of it, as in the
// tag of an image, greeter:1.4.0. A dot at the end of a sentence does not.
func goesOn(rest string) bool {
	rest = strings.TrimLeft(rest, ".")
	return rest != "" && isHostByte(rest[0])
}

// isHostByte says whether a byte may belong to a host name; the bytes of
// unknown do.
func isHostByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._", b) >= 0 || b >= 0x80
}

// edit replaces the bytes from begin to end of an expanded text.
type edit struct {
	begin, end int
	text       string
}

// apply carries out edits, in order and apart from each other, and returns the
// text to write. A reference that is touched is written out.
func apply(pieces []piece, edits []edit) string {
	var b strings.Builder
	offset, next := 0, 0
	for _, p := range pieces {
		from, to := offset, offset+len(p.expanded)
		offset = to
		for next < len(edits) && edits[next].end <= from {
			next++
		}
		if next == len(edits) || edits[next].begin >= to {
			b.WriteString(p.source)
			continue
		}
		escape := func(s string) string { return s }
		if p.isReference {
			escape = strings.NewReplacer("$", "$$").Replace
		}
		at := from
		for _, e := range edits[next:] {
			if e.begin >= to {
				break
			}
			b.WriteString(escape(p.expanded[at-from : max(at, e.begin)-from]))
			if e.begin >= from {
				b.WriteString(e.text)
			}
			at = min(e.end, to)
		}
		b.WriteString(escape(p.expanded[at-from:]))
	}
	return b.String()
}

// ends are the offsets in the expanded text at which its pieces end.
func ends(pieces []piece) []int {
	offsets := make([]int, len(pieces))
	offset := 0
	for i, p := range pieces {
		offset += len(p.expanded)
		offsets[i] = offset
	}
	return offsets
}

// inOneReference says whether a token comes from one reference alone. Then it is
// found, and changed, where the variable is defined.
func inOneReference(pieces []piece, ends []int, t token) bool {
	at := sort.SearchInts(ends, t.begin+1) // the piece that holds its first byte
	return pieces[at].isReference && t.end <= ends[at]
}

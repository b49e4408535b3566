package envoy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// minShared is the shortest value that is worth an anchor, in bytes.
const minShared = 24

// share writes each object, array or string of a JSON document that occurs again
// as an alias of its first occurrence. Most of what an upstream says is the same
// for all: without this ten upstreams take 70 kB of every Pod, and some twenty are
// more than Linux passes in an argument.
func share(document string) (string, error) {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	root, err := read(d)
	if err != nil {
		return "", fmt.Errorf("share what repeats in the bootstrap: %w", err)
	}
	s := sharing{seen: map[string]int{}, anchors: map[string]string{}}
	s.count(root)
	var out strings.Builder
	s.write(&out, root)
	return out.String(), nil
}

// value is one of a JSON document: an object or array with its parts, or, without
// parts, anything else.
type value struct {
	text  string // the whole value, compact
	parts []part
}

// part is a member of an object, or an element of an array, which has no key.
type part struct {
	key string // with its quotes and colon
	value
}

func read(d *json.Decoder) (value, error) {
	token, err := d.Token()
	if err != nil {
		return value{}, err
	}
	open, ok := token.(json.Delim)
	if !ok {
		text, err := json.Marshal(token)
		return value{text: string(text)}, err
	}
	var v value
	var texts []string
	for d.More() {
		var p part
		if open == '{' {
			key, err := read(d)
			if err != nil {
				return value{}, err
			}
			p.key = key.text + ":"
		}
		if p.value, err = read(d); err != nil {
			return value{}, err
		}
		v.parts = append(v.parts, p)
		texts = append(texts, p.key+p.text)
	}
	end, err := d.Token()
	if err != nil {
		return value{}, err
	}
	v.text = open.String() + strings.Join(texts, ",") + fmt.Sprint(end)
	return v, nil
}

type sharing struct {
	seen    map[string]int    // how often each text would be written
	anchors map[string]string // its anchor, once it is
}

// count does not look into what occurs again: an alias stands for all of it.
func (s *sharing) count(v value) {
	s.seen[v.text]++
	if s.seen[v.text] > 1 {
		return
	}
	for _, p := range v.parts {
		s.count(p.value)
	}
}

func (s *sharing) write(out *strings.Builder, v value) {
	if s.seen[v.text] > 1 && len(v.text) >= minShared {
		if anchor, ok := s.anchors[v.text]; ok {
			// A space, since an alias may hold a comma to some readers of YAML.
			out.WriteString("*" + anchor + " ")
			return
		}
		anchor := strconv.Itoa(len(s.anchors) + 1)
		s.anchors[v.text] = anchor
		out.WriteString("&" + anchor + " ")
	}
	if len(v.parts) == 0 {
		out.WriteString(v.text)
		return
	}
	out.WriteByte(v.text[0])
	for i, p := range v.parts {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(p.key)
		s.write(out, p.value)
	}
	out.WriteByte(v.text[len(v.text)-1])
}

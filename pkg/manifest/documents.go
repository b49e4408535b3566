package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

/*
Most files hold no probe of the tool, and a search of the bytes shows it at a
fraction of what parsing costs. The same holds for the documents of a file: a
line of three dashes always starts a new one, in quotes and block scalars too
(c-forbidden in YAML 1.2), so a file is cut there and only the parts with the
tool's name are parsed.
*/

// mentions says whether a text holds a name of the tool.
func mentions(src []byte, toolNames []string) bool {
	for _, name := range toolNames {
		if bytes.Contains(src, []byte(name)) {
			return true
		}
	}
	const before, after = len("grpc_"), len("_probe")
	for at := 0; ; at += len("health") {
		next := bytes.Index(src[at:], []byte("health")) // once, for both spellings
		if next < 0 {
			return false
		}
		at += next
		end := at + len("health") + after
		if at < before || end > len(src) {
			continue
		}
		if word := string(src[at-before : end]); word == "grpc_health_probe" || word == "grpc-health-probe" {
			return true
		}
	}
}

// Empty says whether a text holds no object: only blanks, comments and the marks
// between documents.
func Empty(content []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(content, []byte("\ufeff"))) {
		text := bytes.TrimSpace(line)
		if len(text) > 0 && text[0] != '#' && string(text) != "---" && string(text) != "..." {
			return false
		}
	}
	return true
}

// part is a run of whole lines of a file that begins at a document.
type part struct {
	// offset is where the part starts in the file, line how many lines stand
	// before it.
	offset, line int
	src          []byte
	// template says that the part looks like a template, and inTemplate that the file
	// is one, so that nothing in it is read as YAML.
	template, inTemplate bool
}

// IsTemplate says whether a file is a template by its name, so that it is not YAML
// even where it parses.
func IsTemplate(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".tpl", ".tmpl", ".gotmpl", ".j2":
		return true
	}
	return false
}

// partsOf are the parts of a file. It is a template as a whole where one of its
// parts is no YAML until it is rendered: what stands around another part, such as
// an if, may be what that one depends on.
func partsOf(src []byte, options Options) []part {
	parts := split(src)
	inTemplate := options.Template
	if hasPlaceholders(src) {
		for i := range parts {
			parts[i].template = hasPlaceholders(parts[i].src)
			if parts[i].template && !inTemplate {
				_, err := parse(parts[i].src)
				inTemplate = err != nil
			}
		}
	}
	for i := range parts {
		parts[i].inTemplate = inTemplate
	}
	return parts
}

// split cuts a file before each line of three dashes. A file with directives,
// which stand before their document, is one part.
func split(src []byte) []part {
	if bytes.HasPrefix(src, []byte("%")) || bytes.Contains(src, []byte("\n%")) {
		return []part{{src: src}}
	}
	var parts []part
	start, startLine, line := 0, 0, 0
	for at := 0; at < len(src); line++ {
		if at > start && startsDocument(src[at:]) {
			parts = append(parts, part{offset: start, line: startLine, src: src[start:at]})
			start, startLine = at, line
		}
		next := bytes.IndexByte(src[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return append(parts, part{offset: start, line: startLine, src: src[start:]})
}

// startsDocument says whether a line is a document marker.
func startsDocument(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || bytes.IndexByte([]byte(" \t\r\n"), line[3]) >= 0)
}

// parse reads the documents of a part.
func parse(src []byte) ([]*yaml.Node, error) {
	documents, err := parseYAML(src)
	if err != nil {
		if documents, ok := parseJSON(src); ok {
			return documents, nil
		}
	}
	return documents, err
}

// parseYAML reads documents. The parser panics on some of what it cannot read; that is
// an error like any other.
func parseYAML(src []byte) (documents []*yaml.Node, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			documents, err = nil, fmt.Errorf("the YAML parser gave up: %v", problem)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, &document)
	}
}

package manifest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

/*
A template of Helm or another tool is no YAML until it is rendered, so nothing in
it is edited. An exec block that stands in it as text is found by its indentation,
and what could stand in its place is suggested: each {{ ... }} in the command is
taken for a number, and put back where that number ends up.
*/

// placeholderMarks begin what template languages replace: Go templates and Jinja,
// Jinja's statements, ERB, and ytt.
var placeholderMarks = []string{"{{", "{%", "<%", "#@"}

// hasPlaceholders says whether a text looks like a template.
func hasPlaceholders(src []byte) bool {
	for _, mark := range placeholderMarks {
		if bytes.Contains(src, []byte(mark)) {
			return true
		}
	}
	return false
}

// placeholder says whether a template that parses as YAML holds placeholders in
// what a decision depends on. Elsewhere, such as in annotations for a secrets
// agent, they are somebody else's.
func (d *document) placeholder(t template) bool {
	if bytes.Contains(d.text.src, []byte("#@")) {
		return true
	}
	spec := child(t.node, "spec")
	if anyMarked(spec, "hostNetwork", "hostnameOverride", "hostAliases", "hostname") || markedAnnotation(child(child(t.node, "metadata"), "annotations")) {
		return true
	}
	for _, list := range []string{"containers", "initContainers"} {
		containers := child(spec, list)
		if containers == nil {
			continue
		}
		for _, item := range containers.Content {
			if anyMarked(target(item), "name", "ports", "env", "envFrom", "restartPolicy", "livenessProbe", "readinessProbe", "startupProbe") {
				return true
			}
		}
	}
	return false
}

// markedAnnotation says whether a key holds a placeholder, or the value of one that
// decides.
func markedAnnotation(annotations *yaml.Node) bool {
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return hasMark(annotations, map[*yaml.Node]bool{})
	}
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key, value := target(annotations.Content[i]), annotations.Content[i+1]
		switch {
		case isMerge(key):
			if slices.ContainsFunc(mergedMappings(value), markedAnnotation) {
				return true
			}
		case hasPlaceholders([]byte(key.Value)), DecidingAnnotation(key.Value) && hasMark(value, map[*yaml.Node]bool{}):
			return true
		}
	}
	return false
}

// DecidingAnnotation says whether a Pod's annotation may have a say in what becomes
// of its probes: ours, and those of meshes.
func DecidingAnnotation(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return slices.ContainsFunc([]string{"probeshift.dev", "istio.io", "linkerd.io"}, func(of string) bool {
		return domain == of || strings.HasSuffix(domain, "."+of)
	})
}

// anyMarked says whether a value of one of the keys holds a placeholder.
func anyMarked(mapping *yaml.Node, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		return hasMark(child(mapping, key), map[*yaml.Node]bool{})
	})
}

func hasMark(n *yaml.Node, visited map[*yaml.Node]bool) bool {
	n = target(n)
	if n == nil || visited[n] {
		return false
	}
	visited[n] = true
	if n.Kind == yaml.ScalarNode {
		return hasPlaceholders([]byte(n.Value))
	}
	return slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return hasMark(c, visited) })
}

// unrendered are the suggestions for a Pod template that depends on what is
// rendered; is says that it does. They are told once for a document.
func (d *document) unrendered(t template, p part, err error, options Options) (findings []Finding, is bool) {
	if !p.template || err == nil && !d.placeholder(t) {
		return nil, false
	}
	if d.suggested {
		return nil, true
	}
	d.suggested = true
	return suggest(p, options), true
}

// unparsed tells of a part that does not parse.
func unparsed(p part, err error, options Options) []Finding {
	if !p.template {
		f := about(p.line+errorLine(err), 0, NotParsed, shorten(err.Error()))
		if json.Valid(p.src) {
			f.Sentence = "The file is JSON, in a form that does not parse as YAML."
			f.Remedy = "Write its escapes as the characters that they stand for, and control characters as escapes."
		}
		return []Finding{f}
	}
	return p.suggestions(options)
}

// suggestions are those for a part, with their lines in the file.
func (p part) suggestions(options Options) []Finding { return below(p, suggest(p, options)) }

// below are findings of a part with their lines in the file.
func below(p part, findings []Finding) []Finding {
	for i := range findings {
		findings[i].Line += p.line
	}
	return findings
}

var lineInError = regexp.MustCompile(`line (\d+)`)

// errorLine is the line that the YAML parser names, or 1.
func errorLine(err error) int {
	if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return n
		}
	}
	return 1
}

// execLine is a line that starts an exec block.
var execLine = regexp.MustCompile(`^(\s*(?:- +)*)(?:exec|"exec"|'exec'):(.*)$`)

// suggest finds the exec blocks of the tool in the lines of a template.
func suggest(p part, options Options) []Finding {
	lines := strings.Split(string(p.src), "\n")
	var findings []Finding
	for i := 0; i < len(lines); i++ {
		form := execLine.FindStringSubmatch(strings.TrimRight(lines[i], "\r"))
		if form == nil {
			continue
		}
		indent := len(form[1])
		last := i
		for j := i + 1; j < len(lines); j++ {
			text := strings.TrimSpace(lines[j])
			if text == "" || strings.HasPrefix(text, "{{") || strings.HasPrefix(text, "#") {
				continue
			}
			if len(lines[j])-len(strings.TrimLeft(lines[j], " \t")) <= indent {
				break
			}
			last = j
		}
		block := lines[i : last+1]
		if !mentions([]byte(strings.Join(block, "\n")), options.Policy.ToolNames) {
			continue
		}
		f := about(i+1, indent+1, Template, "")
		command, text, code := suggestion(block, indent, options)
		f.Command = command
		f.propose(text, code)
		findings = append(findings, f)
		i = last
	}
	if len(findings) == 0 {
		if line := mentionLine(lines, options); line > 0 {
			f := about(line, 1, Template, "")
			f.propose("", reason.None)
			findings = append(findings, f)
		}
	}
	return findings
}

// description is a line that starts a text for people, which nobody runs.
var description = regexp.MustCompile(`^\s*(?:- +)*["']?\w*[dD]escription["']?:\s`)

// mentionLine is the first line that names the tool outside of a comment and of a
// description with the deeper lines below it, or 0.
func mentionLine(lines []string, options Options) int {
	prose := -1 // the indent of a description, or -1
	for i, line := range lines {
		text := strings.TrimLeft(line, " -")
		if indent := len(line) - len(text); strings.TrimSpace(text) != "" && indent <= prose {
			prose = -1
		}
		if prose < 0 && description.MatchString(line+" ") {
			prose = len(line) - len(text)
		}
		if prose >= 0 {
			continue
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && mentions([]byte(line), options.Policy.ToolNames) {
			return i + 1
		}
	}
	return 0
}

// action is one {{ ... }} of a Go template.
var action = regexp.MustCompile(`\{\{.*?\}\}`)

// firstStandIn is the first of the numbers that stand for actions: ports, so that
// an address reads, and unlikely ones.
const firstStandIn = 64301

// standIns are the actions of a text, each with a number in its place.
type standIns struct{ actions []string }

func standIn(i int) string { return strconv.Itoa(firstStandIn + i) }

// put puts numbers in the place of the actions of a text.
func (s *standIns) put(text string) string {
	return action.ReplaceAllStringFunc(text, func(a string) string {
		s.actions = append(s.actions, a)
		return standIn(len(s.actions) - 1)
	})
}

// back puts the actions back.
func (s *standIns) back(text string) string {
	for i, a := range s.actions {
		text = strings.ReplaceAll(text, standIn(i), a)
	}
	return text
}

// propose reads a command with numbers in it and writes what could stand in its
// place. The text is empty where a reason stands against it, or where an action
// would be lost: then nobody knows what it says.
func (s *standIns) propose(command []string, options Options, write func(healthprobe.Check) string) (text string, code reason.Code) {
	reading := reader(options).Read(command, healthprobe.Container{Template: true})
	switch {
	case slices.ContainsFunc(command, func(word string) bool { return hasPlaceholders([]byte(word)) }):
		return "", reason.None
	case reading.Reason == reason.AlwaysFails && len(s.actions) > 0: // perhaps for the number
		return "", reason.None
	case reading.Reason != reason.None || !reading.Ours:
		return "", reading.Reason
	}
	text = write(reading.Check)
	for i := range s.actions {
		if !strings.Contains(text, standIn(i)) {
			return "", reason.None
		}
	}
	return s.back(text), reason.None
}

// suggestion reads an exec block of a template and writes what could stand in its
// place; it is empty where the block cannot be read, or for a reason.
func suggestion(block []string, indent int, options Options) (command []string, text string, code reason.Code) {
	var actions standIns
	var kept []string
	for _, line := range block {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(strings.TrimSpace(line), "{{") {
			return nil, "", reason.None // what the block holds is decided when it is rendered
		}
		kept = append(kept, actions.put(line))
	}
	kept[0] = strings.Repeat(" ", indent) + kept[0][indent:]
	var root struct {
		Exec struct {
			Command []string `yaml:"command"`
		} `yaml:"exec"`
	}
	if err := yaml.Unmarshal([]byte(strings.Join(kept, "\n")), &root); err != nil || len(root.Exec.Command) == 0 {
		return nil, "", reason.None
	}
	for _, word := range root.Exec.Command {
		command = append(command, actions.back(word))
	}
	text, code = actions.propose(root.Exec.Command, options, func(check healthprobe.Check) string { return nativeText(check, indent) })
	return command, text, code
}

// reader reads commands as the policy has it.
func reader(options Options) healthprobe.Reader {
	return healthprobe.Reader{
		ToolNames: options.Policy.ToolNames,
		TLSProbes: options.Policy.TLSProbes && options.Policy.IgnoreMesh,
		IPv6:      options.Policy.IPv6,
	}
}

// checkPairs are the fields of a grpc handler for what a command checks.
func checkPairs(check healthprobe.Check) []pair {
	action := corev1.GRPCAction{Port: check.Port, Service: &check.Service}
	if check.TLS {
		action.Mode = new(corev1.GRPCProbeModeTLS)
	}
	return nativePairs(&action, style{}, comments{})
}

// nativeText is a grpc block for what a command checks, its key at an indent.
func nativeText(check healthprobe.Check, indent int) string {
	block := style{eol: "\n", step: 2}.block([]pair{{key: "grpc", below: checkPairs(check)}}, indent)
	return strings.Repeat(" ", indent) + block + "\n"
}

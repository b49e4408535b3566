package manifest

import (
	"bytes"
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
	for _, list := range []string{"containers", "initContainers"} {
		containers := child(spec, list)
		if containers == nil {
			continue
		}
		for _, item := range containers.Content {
			for _, key := range []string{"name", "ports", "env", "livenessProbe", "readinessProbe", "startupProbe"} {
				if hasMark(child(target(item), key)) {
					return true
				}
			}
		}
	}
	return false
}

func hasMark(n *yaml.Node) bool {
	if n == nil || n.Kind == yaml.AliasNode {
		return false
	}
	if n.Kind == yaml.ScalarNode {
		return hasPlaceholders([]byte(n.Value))
	}
	return slices.ContainsFunc(n.Content, hasMark)
}

// unparsed tells of a part that does not parse.
func unparsed(p part, err error, options Options) []Finding {
	if !hasPlaceholders(p.src) {
		return []Finding{about(p.line+errorLine(err), 0, NotParsed, shorten(err.Error()))}
	}
	findings := suggest(p, options)
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

// mentionLine is the first line that names the tool outside of a comment, or 0.
func mentionLine(lines []string, options Options) int {
	for i, line := range lines {
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

// suggestion reads an exec block of a template and writes what could stand in its
// place; it is empty where the block cannot be read, or for a reason.
func suggestion(block []string, indent int, options Options) (command []string, text string, code reason.Code) {
	var actions []string
	var kept []string
	for _, line := range block {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(strings.TrimSpace(line), "{{") {
			return nil, "", reason.None // what the block holds is decided when it is rendered
		}
		kept = append(kept, action.ReplaceAllStringFunc(line, func(a string) string {
			actions = append(actions, a)
			return strconv.Itoa(firstStandIn + len(actions) - 1)
		}))
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
	back := func(s string) string {
		for i, a := range actions {
			s = strings.ReplaceAll(s, strconv.Itoa(firstStandIn+i), a)
		}
		return s
	}
	for _, word := range root.Exec.Command {
		command = append(command, back(word))
	}
	reading := reader(options).Read(root.Exec.Command, healthprobe.Container{Template: true})
	if reading.Reason != reason.None || !reading.Ours {
		return command, "", reading.Reason
	}
	return command, back(nativeText(reading.Check, indent)), reason.None
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

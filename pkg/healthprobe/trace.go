package healthprobe

import (
	"fmt"
	"strings"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
A trace tells a person how Read came to its reading. It takes the same steps with
the same functions, and its reading is Read's own; nothing is decided here.
*/

// Step is one step of a trace.
type Step struct {
	// Name is the step: recognise, kubelet, shell, timeout, env, flags, target,
	// native or budget.
	Name string
	// Rule is the rule that was applied, in one sentence.
	Rule string
	// Found is what was understood, or why it was not.
	Found string
	// Words are the words of the command behind the step, nil where they are the
	// same as before it. Values that only the running Pod has are shown in angle
	// brackets.
	Words []string
	// Reason is why the trace ends here; None where it goes on.
	Reason reason.Code
}

// Trace returns the reading of a command, as Read does, and the steps that led to
// it. The last step holds the reason, if there is one.
func (r Reader) Trace(command []string, c Container) (Reading, []Step) {
	reading := r.Read(command, c)
	if r.flags == nil {
		r.flags = newFlagReader()
	}
	t := &trace{reader: r, container: c, reading: reading}
	if t.recognise() {
		if words, ok := t.kubelet(command); ok {
			if found, ok := t.unwrap(words); ok {
				t.tool(found)
			}
		}
	}
	return reading, t.steps
}

// trace collects steps.
type trace struct {
	reader    Reader
	container Container
	reading   Reading
	steps     []Step
}

func (t *trace) add(name, rule, found string, words []string) {
	t.steps = append(t.steps, Step{Name: name, Rule: rule, Found: found, Words: shownWords(words)})
}

// halt adds the step at which the reading ends.
func (t *trace) halt(name, rule string) {
	found := t.reading.Detail
	if found == "" {
		found = strings.ToLower(t.reading.Reason.Sentence()[:1]) + strings.TrimSuffix(t.reading.Reason.Sentence()[1:], ".")
	}
	t.steps = append(t.steps, Step{Name: name, Rule: rule, Found: found, Reason: t.reading.Reason})
}

var shown = strings.NewReplacer(markPodIP, "<IP of this Pod>", markHostname, "<host name of this Pod>", markUnknown, "<not in the manifest>")

func shownWords(words []string) []string {
	var all []string
	for _, word := range words {
		all = append(all, shown.Replace(word))
	}
	return all
}

const recogniseRule = "A probe is ours when a word of its command, in a shell script any word, is a name of the tool."

func (t *trace) recognise() bool {
	if !t.reading.Ours {
		t.add("recognise", recogniseRule, "no word names grpc_health_probe, so the probe is none of our business", nil)
		return false
	}
	t.add("recognise", recogniseRule, "the command names the tool", nil)
	return true
}

const kubeletRule = "The kubelet replaces $(VAR) from the container's env list, where valueFrom counts as empty and a name that is not there stays."

func (t *trace) kubelet(command []string) ([]string, bool) {
	words, undefined, ok := expandWords(command, t.container.Env)
	switch {
	case !ok:
		t.halt("kubelet", "The words of a command, expanded, may have 1,024 bytes together.")
		return nil, false
	case t.container.Template && undefined != "":
		t.add("kubelet", kubeletRule, "the platform may define "+printable(undefined), words)
	case strings.Join(words, "\x00") != strings.Join(command, "\x00"):
		t.add("kubelet", kubeletRule, "the words change", words)
	default:
		t.add("kubelet", kubeletRule, "there is nothing to replace", nil)
	}
	return words, true
}

// unwrap tells the wrappers one by one. It runs each as Reader.unwrap does.
func (t *trace) unwrap(words []string) (call, bool) {
	found, halt := t.reader.unwrap(words, t.container)
	u := unwrapping{container: t.container, irreducible: reason.UnknownWrapper}
	for range maxDepth {
		if len(words) == 0 || strings.ContainsAny(words[0], marks) || t.reader.isTool(words[0]) {
			break
		}
		name, rule := wrapper(words[0])
		if name == "" {
			break
		}
		limit := u.limit
		rest, stopped := t.look(&u, name, words)
		if stopped != nil {
			t.halt(name, rule)
			return call{}, false
		}
		said := "one command is left"
		if u.limit != limit {
			said = fmt.Sprintf("it ends the command after %s", u.limit)
		}
		words = rest
		t.add(name, rule, said, words)
	}
	if halt != nil && halt.code == reason.CommandTooLong {
		t.halt("wrapper", "The words of a command, expanded, may have 1,024 bytes together.")
		return call{}, false
	}
	if halt != nil {
		t.halt("wrapper", "Only shells, timeout and env are looked through: what other programs do to the verdict is not known.")
		return call{}, false
	}
	return found, true
}

// wrapper is the name of the step for a program, and its rule.
func wrapper(program string) (name, rule string) {
	switch {
	case shellName(program) != "":
		return "shell", "A shell is looked through when its script runs one simple command, and nothing else can decide the verdict."
	case lastElement(program) == "timeout":
		return "timeout", "timeout ends the command after a time, which fails the probe: it bounds the time that the probe has."
	case lastElement(program) == "env":
		return "env", "env adds variables for the command behind it."
	}
	return "", ""
}

func (t *trace) look(u *unwrapping, name string, words []string) ([]string, *stop) {
	switch name {
	case "shell":
		return u.shell(words)
	case "timeout":
		return u.timeout(words[1:])
	}
	return u.assignments(words[1:])
}

const (
	flagsRule  = "The flags are read as the tool does, with Go's flag package and its own checks."
	targetRule = "The address is read as the tool's gRPC library does; native probes reach this Pod alone."
	nativeRule = "A native probe has a port and a service, nothing else: no certificates, headers or compression."
	budgetRule = "The tool ends after its connect-timeout and rpc-timeout, or the shortest timeout around it."
)

// tool tells the flags, the target and the time. Read knows where it ends; the
// steps before are told with what they found.
func (t *trace) tool(found call) {
	if t.reading.Reason == reason.UnresolvedVariable {
		t.halt("variables", "A value that the manifest does not hold may be anything.")
		return
	}
	s, err := t.reader.flags.parse(found.args)
	if err != nil || t.reading.Reason == reason.AlwaysSucceeds || s.validate() != nil {
		t.halt("flags", flagsRule)
		return
	}
	t.add("flags", flagsRule, s.describe(), nil)
	switch {
	case t.reading.Reason == reason.None:
	case t.reading.Reason != reason.AlwaysFails && t.reader.unsupported(s) != reason.None:
		t.halt("native", nativeRule)
		return
	default:
		t.halt("target", targetRule)
		return
	}
	t.add("target", targetRule, fmt.Sprintf("port %d of %s", t.reading.Check.Port, t.reading.Check.Host.describe()), nil)
	t.add("budget", budgetRule, t.reading.Check.Budget.String(), nil)
}

// describe tells the settings that differ from the tool's defaults.
func (s settings) describe() string {
	said := []string{"address " + shown.Replace(s.addr)}
	if s.service != "" {
		said = append(said, "service "+s.service)
	} else {
		said = append(said, "the server as a whole")
	}
	if s.tls {
		said = append(said, "TLS")
	}
	said = append(said, fmt.Sprintf("%s to connect", s.connectTimeout), fmt.Sprintf("%s to call", s.rpcTimeout))
	return strings.Join(said, ", ")
}

// describe names a host as people do.
func (h Host) describe() string {
	switch h {
	case HostLocal:
		return "loopback, or every address of this Pod"
	case HostLocal6:
		return "IPv6 loopback"
	case HostAny6:
		return "every IPv6 address of this Pod"
	case HostPod:
		return "this Pod's own IP"
	case HostName:
		return "this Pod's host name"
	}
	return "an unknown host"
}

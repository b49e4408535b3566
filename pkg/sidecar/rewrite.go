package sidecar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

// rewriting is what is found of the upstreams in the Pod's env, args and command.
type rewriting struct {
	namespace string
	intercept intercept
	routes    []route

	// dialled are the indexes of the routes that a host name stands for.
	dialled map[string][]int

	operations []jsonpatch.Operation
	problems   []Problem
	// rewritten says which routes were found and rewritten.
	rewritten []bool
}

// rewrite looks through the texts of the Pod's containers: literal env values,
// arguments, and words of commands, those of probes and hooks included. It finds
// what must be rewritten, and what would dial an alias on a port that leads
// nowhere.
func rewrite(pod *corev1.Pod, namespace string, i intercept, routes []route, toolNames []string) rewriting {
	r := rewriting{namespace: namespace, intercept: i, routes: routes, dialled: map[string][]int{}, rewritten: make([]bool, len(routes))}
	if i == interceptNone {
		return r
	}
	for at, o := range routes {
		for _, form := range o.forms {
			r.dialled[form] = append(r.dialled[form], at)
		}
	}
	left := maxTexts
	reader := healthprobe.Reader{ToolNames: toolNames}.ForMany()
	visitContainers(pod, func(c *corev1.Container, path string) {
		known := variables{known: map[string]string{}, namespace: namespace, left: &left}
		for i, env := range c.Env {
			if env.ValueFrom == nil {
				r.text(env.Value, known, fmt.Sprintf("%s/env/%d/value", path, i), "env "+shown(env.Name)+" of container "+c.Name)
			}
			known.define(env)
		}
		for i, word := range c.Command {
			r.text(word, known, fmt.Sprintf("%s/command/%d", path, i), fmt.Sprintf("command[%d] of container %s", i, c.Name))
		}
		for i, word := range c.Args {
			r.text(word, known, fmt.Sprintf("%s/args/%d", path, i), fmt.Sprintf("args[%d] of container %s", i, c.Name))
		}
		r.commands(c, known, path, reader, pod.Spec.HostNetwork)
	})
	switch {
	case left < 0:
		r.problems = append(r.problems, Problem{
			TooLarge, fmt.Sprintf("the Pod's env, arguments and commands expand to more than %d MiB", maxTexts>>20), "use fewer references $(NAME) to long values, or intercept none",
		})
	case len(r.operations) > maxRewritten:
		r.problems = append(r.problems, Problem{
			TooLarge, fmt.Sprintf("more than %d env values, arguments and command words of the Pod hold addresses to rewrite", maxRewritten),
			"name each address once, in an env value that the others refer to as $(NAME)",
		})
	case r.stopped():
	default:
		for at := range routes {
			r.problems = append(r.problems, r.missing(at)...)
		}
	}
	return r
}

const (
	// maxRewritten is how many texts of a Pod are rewritten. Each is an operation
	// of the patch.
	maxRewritten = 1000
	// maxUnlisted is how many addresses on unlisted ports are told.
	maxUnlisted = 100
)

// stopped says that enough is found to refuse the Pod; nothing more is looked at.
func (r *rewriting) stopped() bool {
	return len(r.operations) > maxRewritten || len(r.problems) >= maxUnlisted
}

// commands looks through what a container's probes and hooks run. A command that
// only checks this Pod is left out: it may become a native probe. The kubelet
// expands references in the commands of probes, and not in those of hooks.
func (r *rewriting) commands(c *corev1.Container, known variables, path string, reader healthprobe.Reader, hostNetwork bool) {
	for _, h := range handlersOf(c) {
		if h.exec == nil {
			continue
		}
		mayBeNative := !h.isHook
		for i, word := range h.exec.Command {
			pieces := []piece{{source: word, expanded: word}}
			if !h.isHook {
				pieces = cut(word, known.known)
			}
			f := r.look(pieces, known, fmt.Sprintf("%s/%s/exec/command/%d", path, h.field, i), fmt.Sprintf("the %s of container %s", h.title, c.Name))
			if f.isEmpty() {
				continue
			}
			if mayBeNative && isNative(reader.Read(h.exec.Command, healthprobe.Container{Env: c.Env, HostNetwork: hostNetwork})) {
				break
			}
			mayBeNative = false
			r.take(f)
		}
	}
}

func isNative(reading healthprobe.Reading) bool { return reading.Ours && reading.Reason == reason.None }

// execHandler is a place in a container where a command can stand.
type execHandler struct {
	field, title string
	exec         *corev1.ExecAction
	isHook       bool
}

// handlersOf are those places.
func handlersOf(c *corev1.Container) []execHandler {
	var all []execHandler
	for _, p := range []struct {
		field, title string
		*corev1.Probe
	}{
		{"livenessProbe", "liveness probe", c.LivenessProbe},
		{"readinessProbe", "readiness probe", c.ReadinessProbe},
		{"startupProbe", "startup probe", c.StartupProbe},
	} {
		if p.Probe != nil {
			all = append(all, execHandler{p.field, p.title, p.Exec, false})
		}
	}
	if c.Lifecycle != nil && c.Lifecycle.PostStart != nil {
		all = append(all, execHandler{"lifecycle/postStart", "postStart hook", c.Lifecycle.PostStart.Exec, true})
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		all = append(all, execHandler{"lifecycle/preStop", "preStop hook", c.Lifecycle.PreStop.Exec, true})
	}
	return all
}

// finding is what is found in one text.
type finding struct {
	// operations rewrites the text, or is empty.
	operations []jsonpatch.Operation
	problems   []Problem
	// rewritten are the indexes of the routes that it is rewritten for.
	rewritten []int
}

// isEmpty says that there is nothing to do for the text.
func (f finding) isEmpty() bool { return len(f.operations)+len(f.problems) == 0 }

// text looks through one text, in which the kubelet expands references.
func (r *rewriting) text(text string, known variables, path, where string) {
	r.take(r.look(cut(text, known.known), known, path, where))
}

// take keeps what is found.
func (r *rewriting) take(f finding) {
	r.operations = append(r.operations, f.operations...)
	r.problems = append(r.problems, f.problems...)
	for _, at := range f.rewritten {
		r.rewritten[at] = true
	}
}

// look finds what the text at a path holds of the routes.
func (r *rewriting) look(pieces []piece, known variables, path, where string) (f finding) {
	if r.stopped() {
		return finding{}
	}
	var edits []edit
	offsets := ends(pieces)
	for _, t := range tokens(known.expand(pieces)) {
		// A name with a final dot passes the hosts file by, so only its rewriting
		// leads it to the sidecar.
		host, absolute := strings.CutSuffix(t.host, ".")
		dialled := r.dialled[host]
		if len(dialled) == 0 || absolute && r.intercept != interceptEnv || inOneReference(pieces, offsets, t) {
			continue
		}
		at := slices.IndexFunc(dialled, func(at int) bool { return r.routes[at].dialledPort == t.port })
		switch {
		case at >= 0:
			at := dialled[at]
			if e, ok := r.edit(at, t); ok {
				edits = append(edits, e)
				f.rewritten = append(f.rewritten, at)
			}
		case r.intercept.aliases() && !t.inPath && len(f.problems) < maxUnlisted:
			f.problems = append(f.problems, Problem{
				UnlistedPort,
				fmt.Sprintf("%s dials %s, and the sidecar takes over %s on all ports", where, hostPort(t.host, t.port), t.host),
				fmt.Sprintf("add an upstream for port %d, or use intercept env", t.port),
			})
		}
	}
	if len(edits) > 0 {
		f.operations = []jsonpatch.Operation{jsonpatch.NewOperation("replace", path, apply(pieces, edits))}
	}
	return f
}

// edit is what becomes of an address: with an alias its port alone.
func (r *rewriting) edit(at int, t token) (e edit, needed bool) {
	route := r.routes[at]
	switch {
	case r.intercept == interceptEnv:
		return edit{t.begin, t.end, route.listen.String()}, true
	case route.moved():
		return edit{t.colon + 1, t.end, strconv.Itoa(int(route.listen.Port()))}, true
	}
	return edit{}, false
}

// missing is the problem of a route that needs rewriting and found nothing.
func (r *rewriting) missing(at int) []Problem {
	route := r.routes[at]
	address := hostPort(route.forms[0], route.dialledPort)
	remedy := fmt.Sprintf("write %s there as one word, or use intercept none and let the app dial %s", address, route.listen)
	switch {
	case r.rewritten[at]:
		return nil
	case r.intercept == interceptEnv:
		return []Problem{{
			NothingToRewrite,
			fmt.Sprintf("upstream %s: no literal env value, argument or command word of the Pod holds %s", route.backendText(), address), remedy,
		}}
	case r.intercept == interceptAuto && route.moved():
		return []Problem{{
			NothingToRewrite,
			fmt.Sprintf("upstream %s: port %d is taken (%s), and no literal env value, argument or command word of the Pod holds %s",
				route.backendText(), route.dialledPort, route.clash, address), remedy,
		}}
	}
	return nil
}

package sidecar

import (
	"fmt"
	"slices"
	"strconv"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// rewriting is what is found of the upstreams in the Pod's env, args and command.
type rewriting struct {
	namespace string
	intercept intercept
	routes    []route

	operations []jsonpatch.Operation
	problems   []Problem
	// rewritten says which routes were found and rewritten.
	rewritten []bool
}

// rewrite looks through the texts of the Pod's containers. It finds what must be
// rewritten, and what would dial an alias on a port that leads nowhere.
func rewrite(pod *corev1.Pod, namespace string, i intercept, routes []route) rewriting {
	r := rewriting{namespace: namespace, intercept: i, routes: routes, rewritten: make([]bool, len(routes))}
	if i == interceptNone {
		return r
	}
	visitContainers(pod, func(c *corev1.Container, path string) {
		known := variables{known: map[string]string{}, namespace: namespace}
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
	})
	for at := range routes {
		r.problems = append(r.problems, r.missing(at)...)
	}
	return r
}

// text looks through one text.
func (r *rewriting) text(text string, known variables, path, where string) {
	pieces := cut(text, known.known)
	var edits []edit
	for _, t := range tokens(expand(pieces)) {
		if inOneReference(pieces, t) {
			continue
		}
		at := slices.IndexFunc(r.routes, func(o route) bool { return o.dialledPort == t.port && slices.Contains(o.forms, t.host) })
		switch {
		case at >= 0:
			if e, ok := r.edit(at, t); ok {
				edits = append(edits, e)
				r.rewritten[at] = true
			}
		case r.intercept.aliases() && slices.ContainsFunc(r.routes, func(o route) bool { return slices.Contains(o.forms, t.host) }):
			r.problems = append(r.problems, Problem{
				UnlistedPort,
				fmt.Sprintf("%s dials %s, and the sidecar takes over %s on all ports", where, hostPort(t.host, t.port), t.host),
				fmt.Sprintf("add an upstream for port %d, or use intercept env", t.port),
			})
		}
	}
	if len(edits) > 0 {
		r.operations = append(r.operations, jsonpatch.NewOperation("replace", path, apply(pieces, edits)))
	}
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

package sidecar

import (
	"fmt"
	"strconv"
	"strings"
)

// upstream is one entry of the annotation upstreams, read.
type upstream struct {
	// dialled is what the application dials.
	dialled     name
	dialledPort uint16
	// backend is the Service behind it: a headless one where DNS names the members.
	backend     name
	backendPort uint16
}

// dialledText is what the application dials, as texts show it.
func (u upstream) dialledText() string { return hostPort(u.dialled.short(), u.dialledPort) }

// backendText is the backend, as statistics and texts show it.
func (u upstream) backendText() string { return hostPort(u.backend.short(), u.backendPort) }

func hostPort(host string, port uint16) string { return host + ":" + strconv.Itoa(int(port)) }

// readUpstreamList reads the entries of the annotation upstreams. An entry with a
// problem is left out.
func readUpstreamList(entries []string, namespace, domain string) ([]upstream, []Problem) {
	var upstreams []upstream
	var problems []Problem
	for _, entry := range entries {
		u, problem := readUpstream(entry, namespace, domain)
		if problem != "" {
			text, remedy, _ := strings.Cut(problem, ": ")
			problems = append(problems, Problem{BadUpstream, "upstream " + shown(entry) + ": " + text, remedy})
			continue
		}
		upstreams = append(upstreams, u)
	}
	return upstreams, append(problems, duplicates(upstreams, namespace)...)
}

// readUpstream reads [dialled[:port]=]backend:port.
func readUpstream(entry, namespace, domain string) (u upstream, problem string) {
	dialled, backend, isRenamed := strings.Cut(entry, "=")
	if !isRenamed {
		backend = entry
	}
	host, port, hasPort := strings.Cut(strings.TrimSpace(backend), ":")
	if !hasPort {
		if shown(host) != `"`+host+`"` {
			host = "<name>"
		}
		return u, "it has no port: write " + host + ":<port>"
	}
	if u.backendPort, problem = readUpstreamPort(port); problem != "" {
		return u, problem
	}
	if u.backend, problem = readName(host, namespace, domain); problem != "" {
		return u, "the name " + shown(host) + " " + problem
	}
	u.dialled, u.dialledPort = u.backend, u.backendPort
	if !isRenamed {
		return u, ""
	}
	host, port, hasPort = strings.Cut(strings.TrimSpace(dialled), ":")
	if hasPort {
		if u.dialledPort, problem = readUpstreamPort(port); problem != "" {
			return u, problem
		}
	}
	if u.dialled, problem = readName(host, namespace, domain); problem != "" {
		return u, "the name " + shown(host) + " " + problem
	}
	return u, ""
}

func readUpstreamPort(text string) (port uint16, problem string) {
	port, ok := readPort(text)
	if !ok {
		return 0, "the port " + shown(text) + " is no number from 1 to 65535: write the number that the app dials, names of ports are not looked up"
	}
	return port, ""
}

// duplicates finds what the application dials with two backends behind it. Two
// names can share a form: greeter.shop is a Service, greeter.shop. may not be.
func duplicates(upstreams []upstream, namespace string) []Problem {
	var problems []Problem
	owners := map[string]name{}
	dialled := map[string]bool{}
	add := func(u upstream, text string) {
		problems = append(problems, Problem{DuplicateUpstream, text, "keep one, or give the other a name of its own: other=" + u.backendText()})
	}
	for _, u := range upstreams {
		key := hostPort(u.dialled.full, u.dialledPort)
		if dialled[key] {
			add(u, "two upstreams are dialled as "+u.dialledText())
		}
		dialled[key] = true
		for _, form := range u.dialled.forms(namespace) {
			owner, taken := owners[form]
			if taken && owner != u.dialled {
				add(u, fmt.Sprintf("the name %s would stand for %s and for %s", form, owner.full, u.dialled.full))
				break
			}
			owners[form] = u.dialled
		}
	}
	return problems
}

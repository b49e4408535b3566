package sidecar

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

/*
Every dialled name gets a loopback address of its own, 127.64.0.1 and up in the
order of the annotation, and a listener for each of its ports. 127.64/16 is clear
of what distributions use (127.0.0.1, 127.0.0.53, 127.0.1.1) and meshes (Istio's
127.0.0.6). With IPv6 alone there is one loopback address, ::1, for all names.

Where the Pod itself listens on the port that it dials, the listener moves to a
free port, and the addresses in the Pod's manifest follow.
*/

// route is an upstream and where the application reaches it.
type route struct {
	upstream
	listen netip.AddrPort
	// forms are the spellings of the dialled name.
	forms []string
	// clash says who else listens on the dialled port; it is empty where the
	// listener could stay on it.
	clash string
}

// moved says whether the listener is on another port than the one dialled.
func (r route) moved() bool { return r.listen.Port() != r.dialledPort }

// newRoutes gives every upstream its listener.
func newRoutes(pod *corev1.Pod, upstreams []upstream, i intercept, namespace string, taken listeners, ipv6 bool) ([]route, []Problem) {
	addresses := newAddresses(pod, ipv6)
	taken = maps.Clone(taken)
	busy := maps.Clone(taken) // nor is a port free that another upstream is dialled on
	for _, u := range upstreams {
		busy.add(int32(u.dialledPort), "upstream "+u.backendText()+" is dialled on it")
	}
	var routes []route
	var problems []Problem
	for _, u := range upstreams {
		r := route{upstream: u, forms: u.dialled.forms(namespace)}
		address, port := addresses.of(u.dialled), u.dialledPort
		if r.clash = taken[port]; r.clash != "" {
			var ok bool
			if port, ok = busy.free(); !ok {
				return nil, []Problem{{PortClash, fmt.Sprintf("every port from %d to %d is taken", firstFree, lastFree), "list fewer app-ports"}}
			}
			busy.add(int32(port), "the sidecar listens on it")
			problems = append(problems, i.forbidsMoving(r)...)
		}
		r.listen = netip.AddrPortFrom(address, port)
		if ipv6 { // the next upstream would be on the same address
			taken.add(int32(port), "upstream "+u.backendText()+" is dialled on it")
		}
		routes = append(routes, r)
	}
	return routes, problems
}

// forbidsMoving is the problem of a clash where nothing may be rewritten.
func (i intercept) forbidsMoving(r route) []Problem {
	if i != interceptHosts {
		return nil
	}
	return []Problem{{
		PortClash,
		fmt.Sprintf("upstream %s is dialled on port %d, which is taken (%s)", r.backendText(), r.dialledPort, r.clash),
		"let the app listen on another port, or use intercept auto",
	}}
}

// addresses gives each name an address.
type addresses struct {
	next  netip.Addr
	used  map[string]bool
	given map[name]netip.Addr
	ipv6  bool
}

func newAddresses(pod *corev1.Pod, ipv6 bool) *addresses {
	a := &addresses{next: netip.AddrFrom4([4]byte{127, 64, 0, 1}), used: map[string]bool{}, given: map[name]netip.Addr{}, ipv6: ipv6}
	for _, alias := range pod.Spec.HostAliases {
		a.used[alias.IP] = true
	}
	return a
}

// of returns the address of a name, always the same one.
func (a *addresses) of(n name) netip.Addr {
	if a.ipv6 {
		return netip.IPv6Loopback()
	}
	if address, known := a.given[n]; known {
		return address
	}
	for a.used[a.next.String()] {
		a.next = a.next.Next()
	}
	a.given[n] = a.next
	a.next = a.next.Next()
	return a.given[n]
}

// hostAliases are the entries for the hosts file, one for each address.
func hostAliases(routes []route) []corev1.HostAlias {
	var aliases []corev1.HostAlias
	for _, r := range routes {
		address := r.listen.Addr().String()
		at := slices.IndexFunc(aliases, func(a corev1.HostAlias) bool { return a.IP == address })
		if at < 0 {
			at = len(aliases)
			aliases = append(aliases, corev1.HostAlias{IP: address})
		}
		for _, form := range r.forms {
			if !slices.Contains(aliases[at].Hostnames, form) {
				aliases[at].Hostnames = append(aliases[at].Hostnames, form)
			}
		}
	}
	return aliases
}

// ownAliases finds names for which the Pod has hostAliases of its own.
func ownAliases(pod *corev1.Pod, routes []route) []Problem {
	ours := map[string]bool{}
	for _, r := range routes {
		for _, form := range r.forms {
			ours[form] = true
		}
	}
	var problems []Problem
	for i, alias := range pod.Spec.HostAliases {
		at := slices.IndexFunc(alias.Hostnames, func(host string) bool { return ours[strings.ToLower(host)] })
		if at >= 0 {
			problems = append(problems, Problem{
				OwnAlias, fmt.Sprintf("spec.hostAliases[%d] of the Pod already has %s", i, shown(alias.Hostnames[at])),
				"remove it there, or use intercept env or none",
			})
		}
	}
	return problems
}

// config is what Envoy is told.
func config(routes []route, s settings, policy Policy) envoy.Config {
	c := envoy.Config{MetricsPort: s.metricsPort, IPv6: policy.IPv6}
	used := map[string]bool{}
	for _, r := range routes {
		title := r.backendText()
		if used[title] {
			title += "@" + r.dialledText()
		}
		used[title] = true
		u := envoy.Upstream{
			Name:        title,
			Listen:      r.listen,
			Members:     envoy.Members{Host: r.backend.full + ".", Port: r.backendPort, Refresh: s.refresh},
			Algorithm:   s.algorithm,
			Protocol:    s.protocol,
			HealthCheck: s.healthCheck,
			Retries:     s.retries,
		}
		if policy.Discovery != nil {
			u.Members.Resource = r.resource()
		}
		if u.Members.Resource != "" {
			c.Discovery = policy.Discovery
		}
		c.Upstreams = append(c.Upstreams, u)
	}
	return c
}

// resource is what discovery calls the backend. It knows the Services of the
// cluster; another name is one that only DNS knows.
func (u upstream) resource() string {
	if u.backend.service == "" {
		return ""
	}
	return resource.Name{
		Namespace: u.backend.namespace, Service: u.backend.service, Port: u.backendPort, Zone: envoy.NodeZone,
	}.String()
}

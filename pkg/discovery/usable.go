package discovery

import (
	"fmt"
	"net/netip"
	"slices"
)

/*
Which endpoints are used is chosen as kube-proxy chooses for Services whose
traffic may go everywhere in the cluster (k8s.io/kubernetes, pkg/proxy/topology.go):
the ready ones; of them those with a hint for the client's zone, if every one has
a hint and one of them is for that zone; and if none is ready, those that serve
while they terminate. Hints for nodes are not followed: a name tells the zone of
its client alone.

All others are left out. Envoy could be told that they drain, but would keep its
idle connections to them.
*/

// choose says where requests are sent.
func choose(all []*endpoint, zone string) ([]netip.AddrPort, Verdict) {
	ready := filter(all, func(e *endpoint) bool { return e.ready })
	near := nearest(ready, zone)
	last := filter(all, func(e *endpoint) bool { return e.leaving && !e.staying })
	switch {
	case len(all) == 0:
		return nil, Verdict{NoEndpoints, "the Service has no endpoints"}
	case len(near) > 0:
		return addresses(near), Verdict{Served, fmt.Sprintf("%d of %d endpoints, those for zone %s", len(near), len(all), zone)}
	case len(ready) > 0:
		return addresses(ready), Verdict{Served, fmt.Sprintf("%d of %d endpoints", len(ready), len(all))}
	case len(last) > 0:
		return addresses(last), Verdict{Terminating, fmt.Sprintf(
			"none of %d endpoints is ready; %d that terminate still answer", len(all), len(last))}
	}
	return nil, Verdict{NoEndpoints, fmt.Sprintf("none of %d endpoints is ready", len(all))}
}

// nearest are the ready endpoints that are meant for a zone; none where hints are
// not to be followed.
func nearest(ready []*endpoint, zone string) []*endpoint {
	if zone == "" || slices.ContainsFunc(ready, func(e *endpoint) bool { return len(e.zones) == 0 }) {
		return nil
	}
	return filter(ready, func(e *endpoint) bool { return slices.Contains(e.zones, zone) })
}

func filter(all []*endpoint, keep func(*endpoint) bool) []*endpoint {
	var kept []*endpoint
	for _, e := range all {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

func addresses(all []*endpoint) []netip.AddrPort {
	list := make([]netip.AddrPort, 0, len(all))
	for _, e := range all {
		list = append(list, e.address)
	}
	return list
}

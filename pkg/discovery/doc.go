// Package discovery turns a Service and its EndpointSlices into what Envoy
// calls a cluster's load assignment: the addresses that a sidecar balances over.
// It is pure: objects go in; an assignment and a verdict come out. Package serve
// hands the assignments out, doctor shows the verdicts.
//
// The rules, a file each: port.go (which port of the Pods a number means),
// family.go (IPv4 or IPv6), gather.go (addresses, each once), usable.go
// (readiness and zones, as kube-proxy chooses), assign.go (the order of these, and
// the assignment itself), verdict.go (what came of it, in words), strip.go (what
// of the objects is looked at).
package discovery

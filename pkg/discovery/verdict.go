package discovery

// Reason is why a name got what it got. The set is closed.
type Reason string

// The reasons. Those of the first group come with an assignment.
const (
	// Served: the ready endpoints, or those of them that are meant for the zone.
	Served Reason = "served"
	// Terminating: no endpoint is ready, so those are served that still answer
	// while they terminate, as kube-proxy does.
	Terminating Reason = "terminating"
	// NoEndpoints: the Service has no endpoint to send a request to; the assignment
	// is empty.
	NoEndpoints Reason = "no-endpoints"
	// PortNotInSlices: the Service has the port, its Pods do not: no EndpointSlice
	// has a TCP port of that name. The assignment is empty.
	PortNotInSlices Reason = "port-not-in-slices"
	// NotReachableByDNS: the number is a port of a headless Service and not of its
	// Pods. Discovery serves the Pods' port behind it; DNS tells no ports, so that
	// without discovery the number is dialled at the Pods, in vain.
	NotReachableByDNS Reason = "not-reachable-by-dns"

	// NoService: there is no such Service, or it is not known yet.
	NoService Reason = "no-service"
	// ExternalName: the Service is a name for a host elsewhere.
	ExternalName Reason = "external-name"
	// LocalOnly: the Service wants the client's own node alone to be used
	// (internalTrafficPolicy), and discovery does not know a sidecar's node.
	// kube-proxy, behind the cluster IP that DNS tells, does.
	LocalOnly Reason = "local-only"
	// FQDNSlices: the EndpointSlices hold names. Envoy rejects a whole assignment
	// for one address that is not an IP.
	FQDNSlices Reason = "fqdn-slices"
	// NoSuchPort: neither the Service nor, where it is headless, its Pods have a TCP
	// port of that number.
	NoSuchPort Reason = "no-such-port"
)

// Reasons are all of them.
func Reasons() []Reason {
	return []Reason{Served, Terminating, NoEndpoints, PortNotInSlices, NotReachableByDNS,
		NoService, ExternalName, LocalOnly, FQDNSlices, NoSuchPort}
}

// Verdict is what came of a name, for a person.
type Verdict struct {
	Reason Reason `json:"reason"`
	// Text tells of it in a clause without a full stop.
	Text string `json:"text"`
}

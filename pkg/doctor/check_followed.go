package doctor

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

/*
A sidecar with discovery asks for each upstream by its Service and the port that
the application dials. What discovery cannot answer works from DNS, which may not
lead there at all. The verdicts are discovery's own: the same code decides.
*/

func checkFollowed(f *Facts) Result {
	r := newResult("lb-followed", "what sidecars ask discovery for, and the Services and EndpointSlices of that name")
	switch {
	case f.Pods.Err != nil:
		r.unread("Pods", f.Pods.Err)
		return r
	case f.Services.Err != nil:
		r.unread("Services", f.Services.Err)
		return r
	case f.Discovery.Slices.Err != nil:
		r.unread("EndpointSlices", f.Discovery.Slices.Err)
		return r
	}
	asked, served := 0, 0
	seen := map[string]bool{}
	for _, key := range f.Pods.Value.sortedBalanced() {
		for _, name := range f.Pods.Value.Balanced[key].Following.names() {
			workload := key.Owner.Namespace + " " + key.Owner.String()
			if seen[workload+name.String()] {
				continue
			}
			seen[workload+name.String()] = true
			asked++
			if f.follow(&r, workload, name) {
				served++
			}
		}
	}
	r.note(withEndpoints(asked, served))
	r.Unused = asked == 0
	return r
}

// withEndpoints tells how many of the upstreams that are asked for are served.
func withEndpoints(asked, served int) string {
	switch {
	case asked == 0:
		return "No sidecar follows EndpointSlices."
	case asked == 1 && served == 1:
		return "The one upstream that is followed has endpoints."
	case asked == 1:
		return "The one upstream that is followed has no endpoints."
	}
	return fmt.Sprintf("Of %d upstreams that are followed, %d have endpoints.", asked, served)
}

// follow notes what discovery makes of a name, and says whether it has endpoints.
func (f *Facts) follow(r *Result, workload string, name resource.Name) bool {
	service := ServiceName{Namespace: name.Namespace, Name: name.Service}
	result := discovery.Assign(name, f.Services.Value[service], f.Discovery.Slices.Value[service])
	found := fmt.Sprintf("%s: upstream %s: %s.", workload, name, result.Verdict.Text)
	const annotation = "lb.probeshift.dev/upstreams"
	switch result.Verdict.Reason {
	case discovery.NoService:
		r.fail(found, "Create it, or correct the annotation "+annotation+".")
	case discovery.NoSuchPort:
		r.fail(found, "Name a port of the Service in "+annotation+".")
	case discovery.PortNotInSlices:
		r.fail(found, "Give the Pods, or the EndpointSlices that are made by hand, a port of that name.")
	case discovery.NotReachableByDNS:
		r.fail(strings.TrimSuffix(found, ".")+", and a sidecar that starts while discovery is away reaches nobody.",
			fmt.Sprintf("Name the Pods' port in %s: %s.%s:%d=%s.%s:PORT", annotation, name.Service, name.Namespace, name.Port, name.Service, name.Namespace))
	case discovery.ExternalName, discovery.LocalOnly, discovery.FQDNSlices, discovery.NoEndpoints, discovery.Terminating:
		r.note(found)
	case discovery.Served:
	}
	if s := f.Services.Value[service]; s != nil && s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP && result.Assignment != nil {
		r.note(fmt.Sprintf("%s: the Service %s sends a client to one endpoint (sessionAffinity), and the sidecar balances over all.", workload, service))
	}
	return len(result.Assignment.GetEndpoints()) > 0
}

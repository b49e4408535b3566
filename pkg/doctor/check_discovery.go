package doctor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

/*
The component lb-discovery is two things that belong together: a Deployment that
runs discovery, and the webhook's flag that makes new sidecars use it. A sidecar
keeps one stream to discovery open; without it, it works from DNS.
*/

// StreamsMetric is discovery's metric of open streams, one for each sidecar.
const StreamsMetric = "probeshift_discovery_streams"

const applyComponent = "Apply the component lb-discovery: list ../components/lb-discovery under components of the webhook's kustomization."

func checkDiscovery(f *Facts) Result {
	r := newResult("lb-discovery", "arguments of the webhook's Deployment, Deployments that run discovery, their Pods' metrics, and Pods with the sidecar")
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	following, byDNS := f.Pods.Value.Sidecars()
	servers := f.DiscoveryDeployments()
	switch {
	case f.Deployments.Err != nil:
		r.unread("the Deployments of the webhook's namespace", f.Deployments.Err)
	case len(f.deployments()) == 0 && following+len(servers) > 0:
		r.unknown("No Deployment of the webhook could be read.", "See the check deployment.")
	case f.discoveryOn() && len(servers) == 0:
		r.fail("The webhook makes sidecars that follow EndpointSlices (--lb-discovery), and no Deployment runs discovery: they work from DNS.", applyComponent)
	case !f.discoveryOn() && len(servers) > 0:
		r.fail("Discovery runs, and the webhook makes no sidecar that uses it.", "Give the webhook --lb-discovery=true, as the component lb-discovery does.")
	case len(servers) == 0 && following > 0:
		r.fail("No Deployment runs discovery.", applyComponent)
	case len(servers) == 0 && byDNS > 0:
		r.note("Not in use.")
	case len(servers) == 0:
		r.unused("Not in use.")
	}
	for i := range servers {
		r.replicas(&servers[i])
	}
	r.countSidecars(f, following, byDNS)
	return r
}

// countSidecars notes where running sidecars find their backends.
func (r *Result) countSidecars(f *Facts, following, byDNS int) {
	if following+byDNS == 0 && len(f.DiscoveryDeployments()) == 0 {
		return
	}
	r.note(fmt.Sprintf("Running Pods with the sidecar: %d that follow EndpointSlices, %d that work from DNS alone.", following, byDNS))
	if byDNS > 0 && f.discoveryOn() {
		r.note("A Pod gets discovery when it is created, where it names a Service of the cluster and the configuration fits into an argument.")
	}
	if len(f.DiscoveryDeployments()) == 0 {
		return
	}
	streams := 0
	for _, n := range f.Discovery.Streams.Value {
		streams += n
	}
	switch err := f.Discovery.Streams.Err; {
	case apierrors.IsForbidden(err):
		r.note("How many of them are connected is not known: somebody who may get pods/proxy of discovery's namespace can read it from the metric " + StreamsMetric + ".")
	case err != nil:
		r.note("How many of them are connected is not known: " + err.Error() + ".")
	case streams < following:
		r.unknown(fmt.Sprintf("Discovery's open streams: %d. Where a sidecar has none, it works from DNS or has just been started.", streams),
			"See the checks lb-trust and lb-egress, and which sidecars have envoy_control_plane_connected_state 0.")
	default:
		r.note(fmt.Sprintf("Discovery's open streams: %d.", streams))
	}
}

// Sidecars counts the running Pods with a sidecar that follows EndpointSlices,
// and with one that works from DNS alone.
func (p *Pods) Sidecars() (following, byDNS int) {
	for _, b := range p.Balanced {
		if b.Following != nil {
			following += b.Running
		} else {
			byDNS += b.Running
		}
	}
	return following, byDNS
}

// DiscoveryDeployments are those of the webhook's namespace that run discovery;
// the webhook's own may be one of them.
func (f *Facts) DiscoveryDeployments() []appsv1.Deployment {
	return slices.DeleteFunc(slices.Clone(f.Deployments.Value), func(d appsv1.Deployment) bool {
		return !slices.ContainsFunc(values(&d, "run"), func(list string) bool {
			return slices.Contains(strings.Split(list, ","), "discovery")
		})
	})
}

// discoveryOn says whether the webhook makes sidecars that use discovery.
func (f *Facts) discoveryOn() bool {
	return slices.ContainsFunc(f.deployments(), func(d appsv1.Deployment) bool { return has(&d, "lb-discovery", "true") })
}

// ReadStreams reads the number of open streams from what discovery's metrics
// endpoint answers.
func ReadStreams(metrics []byte) (int, error) {
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	for lines.Scan() {
		value, found := strings.CutPrefix(lines.Text(), StreamsMetric+" ")
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, fmt.Errorf("the metric %s: %w", StreamsMetric, err)
		}
		return int(n), nil
	}
	return 0, errors.Join(lines.Err(), errors.New("the metric "+StreamsMetric+" is not there"))
}

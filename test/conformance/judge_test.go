package conformance

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

// pod is what the manifest says around a command.
type pod struct {
	IPv6        bool `json:"ipv6,omitempty"`
	HostNetwork bool `json:"hostNetwork,omitempty"`
	Template    bool `json:"template,omitempty"`
}

// read reads a command as on a cluster with TLS probes, so that every flag that
// can be native is compared.
func (p pod) read(command []string, env []corev1.EnvVar) healthprobe.Reading {
	r := healthprobe.Reader{TLSProbes: true, IPv6: p.IPv6}
	return r.Read(command, healthprobe.Container{Env: env, HostNetwork: p.HostNetwork, Template: p.Template})
}

// difference says how a reading is at odds with what the tool does, or "".
// limit is the shortest timeout wrapper; 0 is none.
func difference(a answer, r healthprobe.Reading, limit time.Duration) string {
	if !r.Ours {
		return "the command is not recognised"
	}
	did := fmt.Sprintf("read as %q, but the tool accepts its flags: %t, exit status %d, dials %v", r.Reason, a.Accepted, a.Exit, a.Sockets)
	wanted, fixed := expected(a)
	switch {
	case r.Reason == reason.AlwaysFails && !fixed && a.neverConnects():
		return ""
	case fixed && r.Reason != wanted:
		return fmt.Sprintf("%s: %q", did, wanted)
	case !fixed && r.Reason != wanted && !slices.Contains(addressReasons, r.Reason):
		return did
	case r.Reason == reason.UnixSocket && !a.unixSocket() && !a.neverConnects():
		return did
	case r.Reason != reason.None:
		return ""
	}
	budget := a.ConnectTimeout + a.RPCTimeout
	if budget < 0 { // it does not fit
		budget = 1<<63 - 1
	}
	if limit > 0 {
		budget = min(budget, limit)
	}
	places, port, onePort := a.sockets()
	hosts := hostPlaces(r.Check.Host)
	switch {
	case !onePort || port != r.Check.Port:
		return fmt.Sprintf("read as port %d, but the tool dials %v", r.Check.Port, a.Sockets)
	case slices.ContainsFunc(places, func(p place) bool { return !slices.Contains(hosts, p) }):
		return fmt.Sprintf("read as one of %v, but the tool dials %v", hosts, a.Sockets)
	case a.Names && r.Check.Host != healthprobe.HostPod && r.Check.Host != healthprobe.HostName:
		return "read as this Pod, but the tool asks DNS"
	case a.Service != r.Check.Service:
		return fmt.Sprintf("read as service %q, but the tool asks for %q", r.Check.Service, a.Service)
	case a.TLS != r.Check.TLS:
		return fmt.Sprintf("read as TLS %t, but for the tool it is %t", r.Check.TLS, a.TLS)
	case budget != r.Check.Budget:
		return fmt.Sprintf("read as a budget of %v, but it is %v", r.Check.Budget, budget)
	}
	return ""
}

// addressReasons are given for addresses that the tool may or may not reach.
var addressReasons = []reason.Code{reason.UnixSocket, reason.UnusualAddress, reason.UnresolvedPort, reason.LoopbackAddress, reason.RemoteAddress}

// hostPlaces are the places a reading's host may stand for.
func hostPlaces(host healthprobe.Host) []place {
	switch host {
	case healthprobe.HostLocal:
		return []place{loopback4, any4, loopback6} // localhost is both
	case healthprobe.HostLocal6:
		return []place{loopback6}
	case healthprobe.HostAny6:
		return []place{any6, any4} // net.Dial tries 0.0.0.0 after ::
	case healthprobe.HostPod:
		return []place{thisPod}
	case healthprobe.HostName:
		return []place{thisPod, loopback4, any4} // an image may say 0.0.0.0
	}
	return nil
}

// expected is the reason that follows from what the tool does with its flags,
// on a cluster with TLS probes; fixed is false where the address decides.
func expected(a answer) (code reason.Code, fixed bool) {
	switch {
	case a.Exit == 0:
		return reason.AlwaysSucceeds, true
	case !a.Accepted, a.TLS && a.SPIFFE:
		return reason.AlwaysFails, true
	}
	code = setting(a)
	return code, code != reason.None && !a.neverConnects()
}

// setting is the reason that follows from the tool's flags alone.
func setting(a answer) reason.Code {
	switch {
	case a.SPIFFE:
		return reason.SPIFFE
	case a.ALTS:
		return reason.ALTS
	case a.ClientCert != "":
		return reason.ClientCertificate
	case a.TLS && !a.NoVerify:
		return reason.TLSVerified
	case a.Headers > 0:
		return reason.RPCHeader
	case a.UserAgent != "grpc_health_probe":
		return reason.UserAgent
	case a.Gzip:
		return reason.Gzip
	}
	return reason.None
}

package doctor

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
)

/*
What API servers and kubelets have to be: gRPC probes are on by default from
kubelet 1.24 (KEP-2727), native sidecars from 1.29 (KEP-753), TLS probes come
with 1.37 and a gate (KEP-4939). A kubelet up to 1.34 may run without a timeout
for exec probes (gate ExecProbeTimeout).
*/

// minors of Kubernetes 1 from which something is there.
const (
	grpcProbes      = 24
	nativeSidecars  = 29
	oldestSupported = 30
	alwaysTimeout   = 35
	tlsProbes       = 37
)

func checkServer(f *Facts) Result {
	r := newResult("api-server", "the API server's version")
	if f.ServerVersion.Err != nil {
		r.unread("the API server's version", f.ServerVersion.Err)
		return r
	}
	minor, ok := minorOf(f.ServerVersion.Value)
	switch {
	case !ok:
		r.unknown("The version "+f.ServerVersion.Value+" is not understood.", "Look it up: kubectl version")
	case minor < oldestSupported:
		r.fail(fmt.Sprintf("%s is older than 1.%d, which deploy/webhook is made for.", f.ServerVersion.Value, oldestSupported),
			fmt.Sprintf("Upgrade to 1.%d or newer.", oldestSupported))
	default:
		r.note(f.ServerVersion.Value + ".")
	}
	return r
}

func checkKubelets(f *Facts) Result {
	r := newResult("kubelets", "the kubelets' versions, in the status of all nodes")
	if f.Nodes.Err != nil {
		r.unread("nodes", f.Nodes.Err)
		return r
	}
	tls := slices.ContainsFunc(f.deployments(), func(d appsv1.Deployment) bool { return has(&d, "grpc-probe-tls", "always") })
	for _, limit := range []struct {
		minor  int
		means  string
		remedy string
		on     bool
	}{
		{grpcProbes, "their kubelets have no gRPC probes, so that what was rewritten is never probed", "Upgrade them, or keep Pods with rewritten probes away from them.", true},
		{tlsProbes, "their kubelets probe in plaintext where --grpc-probe-tls=always writes TLS probes", "Upgrade them, or set --grpc-probe-tls=never.", tls},
	} {
		if old := f.kubeletsBefore(limit.minor); limit.on && len(old) > 0 {
			r.fail(fmt.Sprintf("Nodes older than 1.%d: %s; %s.", limit.minor, joined(old), limit.means), limit.remedy)
		}
	}
	if old := f.kubeletsBefore(nativeSidecars); len(old) > 0 {
		text := fmt.Sprintf("Nodes older than 1.%d: %s; a load-balancing sidecar keeps a Pod from starting there.", nativeSidecars, joined(old))
		if f.Pods.Value != nil && len(f.Pods.Value.Balanced) > 0 {
			r.fail(text, "Upgrade them, or keep load-balanced Pods away from them.")
		} else {
			r.note(text)
		}
	}
	if r.Found == nil {
		r.note(noneTooOld(len(f.Nodes.Value)))
	}
	return r
}

// noneTooOld says so of a number of nodes.
func noneTooOld(nodes int) string {
	switch nodes {
	case 0:
		return "There is no node."
	case 1:
		return "The one node is not too old."
	}
	return fmt.Sprintf("None of %d nodes is too old.", nodes)
}

// kubeletsBefore are the nodes whose kubelet is older than a minor version.
func (f *Facts) kubeletsBefore(limit int) []string {
	var names []string
	for i := range f.Nodes.Value {
		n := &f.Nodes.Value[i]
		if minor, ok := minorOf(n.Status.NodeInfo.KubeletVersion); ok && minor < limit && !isVirtual(n) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return names
}

func checkVirtualKubelets(f *Facts) Result {
	r := newResult("virtual-kubelets", "labels, taints and versions of all nodes")
	if f.Nodes.Err != nil {
		r.unread("nodes", f.Nodes.Err)
		return r
	}
	var names []string
	for i := range f.Nodes.Value {
		if isVirtual(&f.Nodes.Value[i]) {
			names = append(names, f.Nodes.Value[i].Name)
		}
	}
	if len(names) == 0 {
		r.note("None.")
		return r
	}
	slices.Sort(names)
	r.unknown("Virtual kubelets, which may not run gRPC probes: "+joined(names)+".",
		"Ask the provider; Pods for these nodes can opt out by the label probeshift.dev/webhook: disabled.")
	return r
}

// isVirtual says whether a node is a virtual kubelet (virtual-kubelet.io).
func isVirtual(n *corev1.Node) bool {
	return n.Labels["type"] == "virtual-kubelet" || strings.Contains(n.Status.NodeInfo.KubeletVersion, "-vk-") ||
		slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return strings.HasPrefix(t.Key, "virtual-kubelet.io/") })
}

func checkExecTimeout(f *Facts) Result {
	r := newResult("exec-timeout", "the kubelets' versions, in the status of all nodes")
	if f.Nodes.Err != nil {
		r.unread("nodes", f.Nodes.Err)
		return r
	}
	old := f.kubeletsBefore(alwaysTimeout)
	if len(old) == 0 {
		r.note(fmt.Sprintf("Every kubelet is 1.%d or newer and ends exec probes at their timeout, as it does native ones.", alwaysTimeout))
		return r
	}
	r.note(fmt.Sprintf("Kubelets before 1.%d (%s) may be configured with ExecProbeTimeout=false; then an exec probe had no timeout, and its native form has one.",
		alwaysTimeout, joined(old)))
	return r
}

// minorOf is the minor version of a version of Kubernetes 1.
func minorOf(text string) (int, bool) {
	v, err := version.ParseGeneric(text)
	if err != nil || v.Major() != 1 {
		return 0, false
	}
	return int(v.Minor()), true
}

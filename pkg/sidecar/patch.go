package sidecar

import (
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

/*
The patch is built by hand, never as the difference of a typed round trip: that
would delete fields that this binary's k8s.io/api does not know. Its indexes are
those of the Pod as sent, so the container, which comes first of the init
containers and moves all others, is the last operation.
*/

// unprivilegedPorts is the safe sysctl (k8s.io/kubernetes
// pkg/kubelet/sysctl/safe_sysctls.go) that says from which port on a process
// without privileges may listen.
const unprivilegedPorts = "net.ipv4.ip_unprivileged_port_start"

// sidecarLabel is a label of every Pod with the sidecar, by which a NetworkPolicy
// tells them.
const sidecarLabel = Prefix + "sidecar"

// patch is what changes of a Pod beside its texts.
type patch struct {
	aliases   []corev1.HostAlias
	sysctl    bool
	status    string
	container corev1.Container
}

// operations are the patch for a Pod.
func (p patch) operations(pod *corev1.Pod) []jsonpatch.Operation {
	var ops []jsonpatch.Operation
	add := func(path string, value any) { ops = append(ops, jsonpatch.NewOperation("add", path, value)) }
	switch {
	case len(p.aliases) == 0:
	case len(pod.Spec.HostAliases) == 0: // the list may be absent
		add("/spec/hostAliases", p.aliases)
	default:
		for _, alias := range p.aliases {
			add("/spec/hostAliases/-", alias)
		}
	}
	if p.sysctl {
		// 0, not the lowest port in use: container runtimes set 0 by default, and
		// the app may count on it.
		sysctl := corev1.Sysctl{Name: unprivilegedPorts, Value: "0"}
		switch context := pod.Spec.SecurityContext; {
		case context == nil:
			add("/spec/securityContext", corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{sysctl}})
		case len(context.Sysctls) == 0:
			add("/spec/securityContext/sysctls", []corev1.Sysctl{sysctl})
		default:
			add("/spec/securityContext/sysctls/-", sysctl)
		}
	}
	if len(pod.Labels) == 0 {
		add("/metadata/labels", map[string]string{sidecarLabel: "true"})
	} else {
		add("/metadata/labels/"+strings.ReplaceAll(sidecarLabel, "/", "~1"), "true")
	}
	// There is an annotation: it asked for the sidecar. To add one that is there
	// replaces it (RFC 6902, 4.1).
	add("/metadata/annotations/"+strings.ReplaceAll(StatusAnnotation, "/", "~1"), p.status)
	if len(pod.Spec.InitContainers) == 0 {
		add("/spec/initContainers", []corev1.Container{p.container})
	} else {
		add("/spec/initContainers/0", p.container)
	}
	return ops
}

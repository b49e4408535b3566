package mutate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

/*
The kubelet dials the primary IP of the Pod, the tool dialled loopback. What
tells them apart is whether the server listens beyond loopback. The evidence in
a manifest is a declared port: a containerPort of TCP in any container or native
sidecar, since they share one network namespace. With the host's network a
declared port only reserves, and node daemons bind loopback, so it is no
evidence there. A probe of the Pod's own IP needs none; one of its HOSTNAME does,
because an image may set that to 0.0.0.0.
*/

// unreachable is the reason why nothing shows that the kubelet reaches the
// server, or None.
func unreachable(pod *corev1.Pod, check healthprobe.Check) reason.Code {
	switch {
	case check.Host == healthprobe.HostPod:
		return reason.None
	case pod.Spec.HostNetwork:
		return reason.HostNetwork
	case !declares(pod, check.Port):
		return reason.PortNotDeclared
	}
	return reason.None
}

// declares says whether a container or native sidecar declares the TCP port.
func declares(pod *corev1.Pod, port int32) bool {
	for i := range pod.Spec.Containers {
		if hasPort(&pod.Spec.Containers[i], port) {
			return true
		}
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; isNativeSidecar(c) && hasPort(c, port) {
			return true
		}
	}
	return false
}

func hasPort(c *corev1.Container, port int32) bool {
	for _, p := range c.Ports {
		if p.ContainerPort == port && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
			return true
		}
	}
	return false
}

// aliasOf says whether the Pod's hostAliases give the name that the tool dials
// addresses of their own: where one server does not answer, it asks the next.
func aliasOf(pod *corev1.Pod, host healthprobe.Host) (name string, aliased bool) {
	switch host {
	case healthprobe.HostLocal:
		name = "localhost"
	case healthprobe.HostName:
		name = cmp.Or(pod.Spec.Hostname, pod.Name)
	default:
		return "", false
	}
	for _, alias := range pod.Spec.HostAliases {
		if slices.Contains(alias.Hostnames, name) { // the API server takes small letters alone
			return name, true
		}
	}
	return "", false
}

// wrongFamily says whether the tool reaches a server that the kubelet may not:
// the tool dials one IP family, and the Pod's primary IP is of the other. Behind
// the Pod's name the kubelet writes the IPs of both families (kubelet_pods.go,
// managedHostsFileContent), and Go tries one after the other; so with IPv6 first
// it reaches a server on IPv4 alone, as localhost does.
func wrongFamily(host healthprobe.Host, ipv6 bool) bool {
	switch host {
	case healthprobe.HostPod:
		return false
	case healthprobe.HostLocal, healthprobe.HostName:
		return ipv6
	case healthprobe.HostLocal6:
		return !ipv6
	default: // :: may have reached either
		return true
	}
}

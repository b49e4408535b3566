package mutate

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

/*
The kubelet's native probe comes from outside a service mesh, the exec probe
came from inside. A Pod that already is part of a mesh is left alone.

A mesh that the namespace opts into injects after us and cannot be seen before.
So, when we are called again and now see a proxy beside a probe that is still
the one we wrote, the probe gets its exec handler and timeout back. A probe that
the mesh has taken over (Istio moves it to its agent) is no longer ours.
*/

// meshProxies are the names of the proxies' containers.
var meshProxies = []string{"istio-proxy", "linkerd-proxy", "consul-dataplane", "kuma-sidecar"}

// meshOf names what makes a Pod part of a mesh, or returns "".
func meshOf(pod *corev1.Pod, more []string) string {
	for i := range pod.Spec.Containers {
		if name := pod.Spec.Containers[i].Name; IsMeshProxy(name, more) {
			return "container " + name
		}
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; isNativeSidecar(c) && IsMeshProxy(c.Name, more) {
			return "container " + c.Name
		}
	}
	if _, ok := pod.Annotations["sidecar.istio.io/status"]; ok {
		return "annotation sidecar.istio.io/status"
	}
	if inject := pod.Annotations["linkerd.io/inject"]; inject == "enabled" || inject == "ingress" {
		return "annotation linkerd.io/inject"
	}
	const rewrite = "sidecar.istio.io/rewriteAppHTTPProbers"
	if on, err := strconv.ParseBool(pod.Annotations[rewrite]); err == nil && !on {
		return "annotation " + rewrite
	}
	return ""
}

// IsMeshProxy says whether a container of this name is the proxy of a mesh.
func IsMeshProxy(name string, more []string) bool {
	return slices.Contains(meshProxies, name) || slices.Contains(more, name)
}

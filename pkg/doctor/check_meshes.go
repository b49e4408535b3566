package doctor

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/survey"
)

/*
A namespace that a mesh injects into: Istio takes native probes over, so they are
rewritten. The other meshes do not; there a rewritten probe gets its command back
when the proxy appears, and stays as it was.
*/

func checkMeshes(f *Facts) Result {
	r := newResult("meshes", "labels and annotations by which meshes inject, of the served namespaces")
	if f.Namespaces.Err != nil {
		r.unread("namespaces", f.Namespaces.Err)
		return r
	}
	for i := range f.Namespaces.Value {
		n := &f.Namespaces.Value[i]
		mesh := MeshOf(n)
		if mesh == "" || n.Labels[survey.WebhookLabel] == "" {
			continue
		}
		if mesh == "Istio" {
			r.note(fmt.Sprintf("Namespace %s is injected by Istio, whose agent takes native probes over.", n.Name))
			continue
		}
		r.note(fmt.Sprintf("Namespace %s is injected by %s: probes of its Pods keep their command (reason mesh).", n.Name, mesh))
	}
	if r.Found == nil {
		r.note("No served namespace is injected by a mesh.")
	}
	return r
}

// MeshOf names the mesh that injects into a namespace, "" for none.
func MeshOf(n *corev1.Namespace) string {
	inject := n.Annotations["linkerd.io/inject"]
	if inject == "" {
		inject = n.Labels["linkerd.io/inject"]
	}
	switch {
	case n.Labels["istio-injection"] == "enabled" || n.Labels["istio.io/rev"] != "":
		return "Istio"
	case inject == "enabled" || inject == "ingress":
		return "Linkerd"
	case n.Labels["consul.hashicorp.com/connect-inject"] == "true":
		return "Consul"
	case n.Labels["kuma.io/sidecar-injection"] == "enabled" || n.Annotations["kuma.io/sidecar-injection"] == "enabled":
		return "Kuma"
	}
	return ""
}

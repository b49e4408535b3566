package doctor

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

/*
A sidecar and a mesh's proxy in one Pod stand in each other's way.
*/

func checkSidecars(f *Facts) Result {
	r := newResult("lb-sidecars", "Pods with the load-balancing sidecar, and the meshes of their namespaces")
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	p := f.Pods.Value
	workloads := map[string]bool{}
	for _, key := range p.sortedBalanced() {
		workload := key.Owner.Namespace + " " + key.Owner.String()
		if workloads[workload] {
			continue
		}
		workloads[workload] = true
		i := slices.IndexFunc(f.Namespaces.Value, func(n corev1.Namespace) bool { return n.Name == key.Owner.Namespace })
		if i >= 0 && MeshOf(&f.Namespaces.Value[i]) != "" {
			r.fail(workload+" has the sidecar in a namespace that "+MeshOf(&f.Namespaces.Value[i])+" injects into.",
				"Balance by one of the two: remove the annotation lb.probeshift.dev/upstreams, or keep the mesh from these Pods.")
		}
	}
	if r.Found == nil {
		r.note(fmt.Sprintf("Of %d workloads with the sidecar none is in the way of a mesh.", len(workloads)))
	}
	return r
}

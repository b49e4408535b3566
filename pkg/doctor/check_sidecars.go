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
	switch {
	case len(p.Balanced) == 0:
		r.unused(inNoMeshsWay(0))
	case r.Found == nil:
		r.note(inNoMeshsWay(len(workloads)))
	}
	return r
}

// inNoMeshsWay says so of a number of workloads.
func inNoMeshsWay(workloads int) string {
	switch workloads {
	case 0:
		return "No workload has the sidecar."
	case 1:
		return "The one workload with the sidecar is in no mesh's way."
	}
	return fmt.Sprintf("None of %d workloads with the sidecar is in a mesh's way.", workloads)
}

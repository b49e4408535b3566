package mutate

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// manyProbes is a Pod of n containers with two probes each.
func manyProbes(n int) *corev1.Pod {
	p := ownedPod().annotate("checksum/config", "0")
	for i := range n {
		port := int32(9000 + i)
		p.container(fmt.Sprintf("app-%d", i), port).liveness(5, "/bin/grpc_health_probe", fmt.Sprintf("--addr=:%d", port))
		c := &p.Spec.Containers[i]
		c.ReadinessProbe = c.LivenessProbe.DeepCopy()
	}
	return p.obj()
}

func BenchmarkMutate(b *testing.B) {
	for _, containers := range []int{1, 20} {
		b.Run(fmt.Sprintf("%d probes", 2*containers), func(b *testing.B) {
			pod := manyProbes(containers)
			b.ReportAllocs()
			for b.Loop() {
				if len(Mutate(pod, Policy{}).Operations) != 6*containers+1 {
					b.Fatal("not everything is rewritten")
				}
			}
		})
	}
}

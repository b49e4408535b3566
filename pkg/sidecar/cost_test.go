package sidecar

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// What a Pod asks for must not cost a replica its memory or its time. Each of
// these took minutes or gigabytes once; where a bound is gone the test does not
// end.
func TestNoPodCostsMuch(t *testing.T) {
	for sentence, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   Outcome
	}{
		"more upstreams than fit": {func(p *corev1.Pod) {
			p.Annotations[UpstreamsAnnotation] = strings.Repeat("a:1,", 60_000)
		}, Refused},
		"a quantity that nobody can compare": {func(p *corev1.Pod) { p.Annotations[Prefix+"memory-limit"] = "1e2147483647" }, Refused},
		"limits of the Pod's own that nobody can compare": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources = corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1"), corev1.ResourceCPU: resource.MustParse("1")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1e2147483647"), corev1.ResourceCPU: resource.MustParse("1e2147483647")},
			}
		}, Injected},
		"a long value that is named again and again": {func(p *corev1.Pod) {
			env := []corev1.EnvVar{{Name: "E", Value: strings.Repeat("x", maxExpanded-1)}}
			for i := range 40_000 {
				env = append(env, corev1.EnvVar{Name: fmt.Sprintf("E%d", i), Value: "$(E)"})
			}
			p.Spec.Containers[0].Env = env
		}, Refused},
		"many addresses between many references": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = []string{strings.Repeat("greeter:9000$$", 40_000)}
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9000}}
		}, Injected},
	} {
		r := Inject(client(tc.change), "shop", DefaultPolicy())
		if r.Outcome != tc.want {
			t.Errorf("%s: %s, want %s; %v %v", sentence, r.Outcome, tc.want, r.Problems, r.Err)
		}
		if r.Outcome == Refused && r.Problems[0].Code != TooLarge && r.Problems[0].Code != BadValue {
			t.Errorf("%s: %v", sentence, r.Problems)
		}
	}
}

package sidecar

import (
	"fmt"
	"slices"
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
			p.Spec.Containers[0].Args = []string{strings.Repeat("greeter:9000$$", 4_900), strings.Repeat("greeter:9000 ", 40_000)}
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9000}}
		}, Injected},
		"a quantity that nobody can read": {func(p *corev1.Pod) { p.Annotations[Prefix+"cpu-request"] = "1e-30000000" }, Refused},
		"many references that do not end": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = []string{")" + strings.Repeat("$(", 1_500_000)}
		}, Refused},
		"many texts to rewrite": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = slices.Repeat([]string{"greeter:9000"}, 100_000)
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9000}}
		}, Refused},
		"many addresses that lead nowhere": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = append(slices.Repeat([]string{"greeter:1"}, 100_000), strings.Repeat("greeter:1 ", 100_000))
		}, Refused},
		"a text of many addresses that lead nowhere": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = []string{strings.Repeat("greeter:1 ", 100_000)}
		}, Refused},
		"many addresses of the Pod's own": {func(p *corev1.Pod) {
			for i := range 20_000 {
				p.Spec.HostAliases = append(p.Spec.HostAliases, corev1.HostAlias{IP: fmt.Sprintf("127.64.%d.%d", i/256, i%256), Hostnames: []string{"x"}})
			}
		}, Injected},
	} {
		r := Inject(client(tc.change), "shop", DefaultPolicy())
		if r.Outcome != tc.want {
			t.Errorf("%s: %s, want %s; %v %v", sentence, r.Outcome, tc.want, r.Problems, r.Err)
		}
		if r.Outcome == Refused && !slices.Contains([]Code{TooLarge, BadValue, UnlistedPort}, r.Problems[0].Code) || len(r.Problems) > 2*maxUnlisted {
			t.Errorf("%s: %d problems, first %v", sentence, len(r.Problems), r.Problems[0])
		}
	}
}

func TestNothingIsLookedAtBeyondACertainRefusal(t *testing.T) {
	many := slices.Repeat([]string{"greeter:9000"}, 5*maxRewritten)
	hook := &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: many}}
	for sentence, container := range map[string]corev1.Container{
		"arguments":       {Args: many},
		"words of a hook": {Lifecycle: &corev1.Lifecycle{PreStop: hook}},
	} {
		pod := client(func(p *corev1.Pod) { p.Spec.Containers[0] = container })
		upstreams, _ := readUpstreamList([]string{"greeter:9000"}, "shop", "cluster.local")
		routes, _ := newRoutes(pod, upstreams, interceptAuto, "shop", listeners{9000: "the app"}, false)
		r := rewrite(pod, "shop", interceptAuto, routes, nil)
		if len(r.operations) != maxRewritten+1 || len(r.problems) != 1 || r.problems[0].Code != TooLarge {
			t.Errorf("%s: %d operations, problems %v", sentence, len(r.operations), r.problems)
		}
	}
}

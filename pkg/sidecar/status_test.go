package sidecar

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// injected is a Pod as it is after its injection.
func injected(t *testing.T, pod *corev1.Pod, policy Policy) *corev1.Pod {
	t.Helper()
	object, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := Apply(object, Inject(pod, "shop", policy).Operations)
	if err != nil {
		t.Fatal(err)
	}
	after := &corev1.Pod{}
	if err := json.Unmarshal(patched, after); err != nil {
		t.Fatal(err)
	}
	return after
}

func TestAnAliasOfSomebodyElseIsNoPartOfTheStatus(t *testing.T) {
	policy := DefaultPolicy()
	policy.IPv6 = true
	pod := injected(t, client(), policy)
	pod.Spec.HostAliases = append(pod.Spec.HostAliases, corev1.HostAlias{IP: "::1", Hostnames: []string{"metadata"}})
	if r := Inject(pod, "shop", policy); r.Outcome != AlreadyInjected || len(r.Warnings) > 0 {
		t.Errorf("%s %v %v", r.Outcome, r.Problems, r.Warnings)
	}
	pod.Spec.HostAliases[0].Hostnames = append(pod.Spec.HostAliases[0].Hostnames, "other")
	if r := Inject(pod, "shop", policy); r.Outcome != Refused {
		t.Errorf("an alias of ours was changed, and the Pod is %s", r.Outcome)
	}
}

func TestAStatusWithMoreUpstreamsThanWeInjectIsNotOurs(t *testing.T) {
	for upstreams, want := range map[int]Outcome{maxUpstreams: AlreadyInjected, maxUpstreams + 1: Refused} {
		pod := injected(t, client(), DefaultPolicy())
		status, _ := ReadStatus(pod.Annotations)
		for i := len(status.Upstreams); i < upstreams; i++ {
			status.Upstreams = append(status.Upstreams, UpstreamStatus{
				Name: "a:1", Dialled: fmt.Sprintf("a%d:1", i), Listen: netip.AddrPortFrom(status.Upstreams[0].Listen.Addr(), 1),
			})
		}
		status.Hash = status.hash(&pod.Spec.InitContainers[0], pod.Spec.HostAliases)
		text, err := status.text()
		if err != nil {
			t.Fatal(err)
		}
		pod.Annotations[StatusAnnotation] = text
		if r := Inject(pod, "shop", DefaultPolicy()); r.Outcome != want {
			t.Errorf("%d upstreams: %s, want %s", upstreams, r.Outcome, want)
		}
	}
}

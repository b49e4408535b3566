package sidecar_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

func load(t *testing.T) []lbcases.Case {
	t.Helper()
	all, err := lbcases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryGoldenCaseIsDecidedAsItsFolderSays(t *testing.T) {
	for _, c := range load(t) {
		t.Run(c.Name, func(t *testing.T) {
			sent := c.Pod.DeepCopy()
			result, err := c.Inject()
			if err != nil {
				t.Fatal(err)
			}
			patch, err := lbcases.PatchFile(result)
			if err != nil {
				t.Fatal(err)
			}
			outcome, err := lbcases.OutcomeFile(result)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sent, c.Pod); diff != "" {
				t.Errorf("Inject changed the Pod it was given:\n%s", diff)
			}
			if diff := cmp.Diff(c.Patch, patch); diff != "" {
				t.Errorf("patch.json (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.Outcome, outcome); diff != "" {
				t.Errorf("outcome.yaml (-want +got):\n%s", diff)
			}
		})
	}
}

// randomPolicy is one of those that differ most.
func randomPolicy(t *testing.T, seed uint64) sidecar.Policy {
	t.Helper()
	flags := lbcases.Flags{IPv6: seed%5 == 0}
	switch seed % 3 {
	case 0:
		flags.Discovery = "known"
	case 1:
		flags.Discovery = "unknown"
	}
	policy, err := flags.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestThePatchOfRandomPodsKeepsItsPromises(t *testing.T) {
	const pods = 300
	outcomes := map[sidecar.Outcome]int{}
	for seed := range uint64(pods) {
		policy := randomPolicy(t, seed)
		pod := lbcases.Random(rand.New(rand.NewPCG(seed, 1)))
		outcome, problem := brokenPromise(t, pod, policy)
		if problem != "" {
			t.Fatalf("seed %d: %s", seed, problem)
		}
		outcomes[outcome]++
	}
	for _, outcome := range []sidecar.Outcome{sidecar.Injected, sidecar.Refused} {
		if outcomes[outcome] < pods/5 {
			t.Errorf("only %d Pods came out as %s: they are too much alike to prove anything", outcomes[outcome], outcome)
		}
	}
	t.Logf("%v", outcomes)
}

func TestThePatchOfEveryGoldenCaseKeepsItsPromises(t *testing.T) {
	for _, c := range load(t) {
		policy, err := c.Flags.Policy()
		if err != nil {
			t.Fatal(err)
		}
		if _, problem := brokenPromise(t, c.Pod, policy); problem != "" {
			t.Errorf("%s: %s", c.Name, problem)
		}
	}
}

// brokenPromise runs a Pod through Inject, applies the patch, and says which
// promise is broken, if any: a refused Pod has problems and no operations; the
// patch passes its own check; the result run through again is left alone; without
// what was added the Pod is as it was, but for texts that were rewritten.
func brokenPromise(t *testing.T, pod *corev1.Pod, policy sidecar.Policy) (outcome sidecar.Outcome, problem string) {
	t.Helper()
	sent, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	r := sidecar.Inject(pod, lbcases.Namespace, policy)
	if (r.Outcome == sidecar.Refused) != (len(r.Problems) > 0) && r.Outcome != sidecar.WouldRefuse {
		return r.Outcome, "problems do not agree with the outcome"
	}
	if r.Outcome != sidecar.Injected {
		if len(r.Operations) > 0 || r.Err != nil {
			return r.Outcome, "it is not injected and has operations or an error"
		}
		return r.Outcome, ""
	}
	if err := sidecar.Verify(sent, r.Operations); err != nil {
		return r.Outcome, err.Error()
	}
	patched, err := sidecar.Apply(sent, r.Operations)
	if err != nil {
		return r.Outcome, err.Error()
	}
	var after corev1.Pod
	if err := json.Unmarshal(patched, &after); err != nil {
		return r.Outcome, err.Error()
	}
	if again := sidecar.Inject(&after, lbcases.Namespace, policy); again.Outcome != sidecar.AlreadyInjected || len(again.Warnings) > 0 {
		return r.Outcome, "the result run through again is " + string(again.Outcome) + cmp.Diff(nil, again.Warnings)
	}
	if diff := cmp.Diff(stripped(pod), stripped(&after)); diff != "" {
		return r.Outcome, "the patch changed more than it may (-sent +patched):\n" + diff
	}
	if text, found := sidecar.Bootstrap(&after); !found || text == "" {
		return r.Outcome, "the configuration is not found in the patched Pod"
	}
	return r.Outcome, ""
}

// stripped is a Pod without what an injection may change.
func stripped(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	delete(pod.Annotations, sidecar.StatusAnnotation)
	delete(pod.Labels, "lb.probeshift.dev/sidecar")
	if len(pod.Labels) == 0 {
		pod.Labels = nil
	}
	pod.Spec.HostAliases = nil
	if pod.Spec.SecurityContext != nil {
		pod.Spec.SecurityContext.Sysctls = nil
		if cmp.Equal(*pod.Spec.SecurityContext, corev1.PodSecurityContext{}) {
			pod.Spec.SecurityContext = nil
		}
	}
	if len(pod.Spec.InitContainers) > 0 && pod.Spec.InitContainers[0].Name == sidecar.ContainerName {
		pod.Spec.InitContainers = pod.Spec.InitContainers[1:]
	}
	if len(pod.Spec.InitContainers) == 0 {
		pod.Spec.InitContainers = nil
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for j := range list[i].Env {
				list[i].Env[j].Value = ""
			}
			for j := range list[i].Args {
				list[i].Args[j] = ""
			}
			for j := range list[i].Command {
				list[i].Command[j] = ""
			}
			for _, command := range commands(&list[i]) {
				clear(command)
			}
		}
	}
	return pod
}

// commands are what the probes and hooks of a container run.
func commands(c *corev1.Container) [][]string {
	var all [][]string
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe != nil && probe.Exec != nil {
			all = append(all, probe.Exec.Command)
		}
	}
	if c.Lifecycle == nil {
		return all
	}
	for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
		if hook != nil && hook.Exec != nil {
			all = append(all, hook.Exec.Command)
		}
	}
	return all
}

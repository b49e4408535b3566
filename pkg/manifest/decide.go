package manifest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
Package mutate judges Pods as the API server sends them to a webhook: defaulted,
and owned by the controller that made them. A manifest is neither, so its copy
for the decision is made so. What the decision changes in the copy is what the
webhook would change in the Pod, and it is written into the manifest.
*/

// decision is a finding of mutate and the probe it speaks of.
type decision struct {
	finding mutate.Finding
	site    *site
}

// decide judges the probes of a template.
func decide(pod *corev1.Pod, t template, policy mutate.Policy) (decisions []decision, remarks []mutate.Remark) {
	policy = policyFor(t, policy)
	judged := asAdmitted(pod, t)
	result := mutate.Mutate(judged, policy)
	sites := findSites(t, judged)
	for _, f := range result.Findings {
		// Findings come in the order of the sites.
		i := slices.IndexFunc(sites, func(s *site) bool {
			return s.container == f.Container && s.kind == f.Probe && slices.Equal(s.probe.Exec.Command, f.Command)
		})
		if i < 0 {
			continue // a native probe that a copied status speaks of
		}
		decisions = append(decisions, decision{f, sites[i]})
		sites = sites[i+1:]
	}
	return decisions, result.Remarks
}

// policyFor is a policy as it holds for a template.
func policyFor(t template, policy mutate.Policy) mutate.Policy {
	policy.Template = policy.Template || t.object.group == knativeGroup
	policy.Audit = false
	return policy
}

// asAdmitted is the Pod as a webhook would see it, as far as it matters to
// mutate.
func asAdmitted(pod *corev1.Pod, t template) *corev1.Pod {
	judged := pod.DeepCopy()
	// What an earlier call of the webhook wrote is not the owner's word.
	delete(judged.Annotations, mutate.StatusAnnotation)
	if !t.isPod {
		judged.OwnerReferences = []metav1.OwnerReference{{Kind: t.object.kind, Name: t.object.name, Controller: new(true)}}
	}
	visitProbes(judged, func(_ string, _ int, _ *corev1.Container, _ mutate.ProbeKind, probe *corev1.Probe) {
		if probe.TimeoutSeconds == 0 {
			probe.TimeoutSeconds = 1 // SetDefaults_Probe in k8s.io/kubernetes pkg/apis/core/v1
		}
	})
	return judged
}

// visitProbes visits the probes of a Pod in the order in which mutate judges
// them.
func visitProbes(pod *corev1.Pod, visit func(list string, i int, c *corev1.Container, kind mutate.ProbeKind, probe *corev1.Probe)) {
	all := func(list string, containers []corev1.Container) {
		for i := range containers {
			c := &containers[i]
			for _, p := range []struct {
				kind  mutate.ProbeKind
				probe *corev1.Probe
			}{{mutate.Liveness, c.LivenessProbe}, {mutate.Readiness, c.ReadinessProbe}, {mutate.Startup, c.StartupProbe}} {
				if p.probe != nil {
					visit(list, i, c, p.kind, p.probe)
				}
			}
		}
	}
	all("containers", pod.Spec.Containers)
	all("initContainers", pod.Spec.InitContainers)
}

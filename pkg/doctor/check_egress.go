package doctor

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

/*
A NetworkPolicy that selects a Pod and speaks of egress lets out only what a rule
admits. A sidecar that cannot reach discovery works from DNS. Whether policies are
enforced, and whether a block of addresses holds for Pods, is up to the network
plugin; policies of other kinds are not looked at.
*/

func checkEgress(f *Facts) Result {
	r := newResult("lb-egress", "NetworkPolicies of the namespaces with sidecars that follow EndpointSlices")
	switch {
	case f.Pods.Err != nil:
		r.unread("Pods", f.Pods.Err)
		return r
	case f.Discovery.Policies.Err != nil:
		r.unread("NetworkPolicies", f.Discovery.Policies.Err)
		return r
	}
	if f.Pods.Value.Followed().Discovery == "" {
		r.unused("No sidecar follows EndpointSlices.")
		return r
	}
	var apply []string
	for _, b := range f.blocked() {
		where := fmt.Sprintf("discovery (namespace %s, port %d)", b.to.Service.Namespace, b.to.Port)
		const remedy = "Apply a NetworkPolicy that lets sidecars reach discovery."
		if b.way == shut {
			r.fail(fmt.Sprintf("Namespace %s: no rule of %s leads to %s. Where they are enforced, sidecars of %s work from DNS.",
				b.namespace, b.policies, where, joined(b.workloads)), remedy)
		} else {
			r.unknown(fmt.Sprintf("Namespace %s: %s may keep sidecars of %s from %s: that depends on the network plugin, or on what could not be read.",
				b.namespace, b.policies, joined(b.workloads), where), remedy)
		}
		if policy := wayToDiscovery(f, b.namespace, b.to); !slices.Contains(apply, policy) {
			apply = append(apply, policy)
		}
	}
	r.Apply = strings.Join(apply, "---\n")
	if r.Found == nil {
		r.note("None shuts discovery out.")
	}
	return r
}

// blocked is what the same policies keep, or may keep, from discovery.
type blocked struct {
	namespace, policies string
	way                 way
	workloads           []string
	to                  *Following
}

// blocked gathers sidecars by their namespace and its policies.
func (f *Facts) blocked() []*blocked {
	var all []*blocked
	for _, key := range f.Pods.Value.sortedBalanced() {
		b := f.Pods.Value.Balanced[key]
		if b.Following == nil {
			continue
		}
		way, names := f.wayOut(key.Owner.Namespace, b)
		if way == open {
			continue
		}
		policies, workload := joined(names), key.Owner.String()
		i := slices.IndexFunc(all, func(a *blocked) bool {
			return a.namespace == key.Owner.Namespace && a.policies == policies && a.way == way
		})
		if i < 0 {
			i, all = len(all), append(all, &blocked{namespace: key.Owner.Namespace, policies: policies, way: way, to: b.Following})
		}
		if !slices.Contains(all[i].workloads, workload) {
			all[i].workloads = append(all[i].workloads, workload)
		}
	}
	return all
}

// way is whether packets get out.
type way int

const (
	shut way = iota
	maybe
	open
)

// wayOut says whether policies let Pods reach discovery, and which they are.
func (f *Facts) wayOut(namespace string, b Balanced) (way, []string) {
	best, names := shut, []string(nil)
	for i := range f.Discovery.Policies.Value {
		policy := &f.Discovery.Policies.Value[i]
		if policy.Namespace != namespace || !speaksOfEgress(policy) || !selects(&policy.Spec.PodSelector, b.Labels) {
			continue
		}
		names = append(names, policy.Name)
		for j := range policy.Spec.Egress {
			rule := &policy.Spec.Egress[j]
			best = max(best, min(f.portsLead(rule.Ports, b.Following), f.peersLead(rule.To, namespace, b.Following)))
		}
	}
	if len(names) == 0 {
		return open, nil
	}
	slices.Sort(names)
	return best, names
}

// speaksOfEgress follows the API's default: a policy without types is of egress
// where it has rules for it.
func speaksOfEgress(p *networkingv1.NetworkPolicy) bool {
	if len(p.Spec.PolicyTypes) == 0 {
		return len(p.Spec.Egress) > 0
	}
	return slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
}

// wayToDiscovery is a policy that lets the sidecars of a namespace reach
// discovery.
func wayToDiscovery(f *Facts, namespace string, to *Following) string {
	peer := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": to.Service.Namespace}},
	}
	if servers := f.DiscoveryDeployments(); len(servers) == 1 {
		peer.PodSelector = servers[0].Spec.Selector
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]string{"name": "probeshift-discovery", "namespace": namespace},
		"spec": networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{sidecar.Prefix + "sidecar": "true"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To:    []networkingv1.NetworkPolicyPeer{peer},
				Ports: []networkingv1.NetworkPolicyPort{portTo(to)},
			}},
		},
	})
	if err != nil {
		return ""
	}
	return string(text)
}

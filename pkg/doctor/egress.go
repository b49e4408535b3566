package doctor

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// portsLead says whether the ports of a rule hold discovery's. No ports are all.
func (f *Facts) portsLead(ports []networkingv1.NetworkPolicyPort, to *Following) way {
	if len(ports) == 0 {
		return open
	}
	best := shut
	for i := range ports {
		best = max(best, f.portLeads(&ports[i], to))
	}
	return best
}

func (f *Facts) portLeads(p *networkingv1.NetworkPolicyPort, to *Following) way {
	switch {
	case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP:
		return shut
	case p.Port == nil:
		return open
	case p.Port.Type == intstr.String:
		return f.namedPortLeads(p.Port.StrVal, to)
	case p.EndPort != nil && p.Port.IntVal <= to.Port && to.Port <= *p.EndPort:
		return open
	case p.Port.IntVal == to.Port:
		return open
	}
	return shut
}

// namedPortLeads looks for the port of that name in discovery's Pods.
func (f *Facts) namedPortLeads(name string, to *Following) way {
	servers := f.DiscoveryDeployments()
	for i := range servers {
		for _, c := range servers[i].Spec.Template.Spec.Containers {
			for _, p := range c.Ports {
				if p.Name == name && p.ContainerPort == to.Port {
					return open
				}
			}
		}
	}
	return maybeWithout(len(servers))
}

// peersLead says whether the peers of a rule hold discovery's Pods. No peers are
// all.
func (f *Facts) peersLead(peers []networkingv1.NetworkPolicyPeer, namespace string, to *Following) way {
	if len(peers) == 0 {
		return open
	}
	best := shut
	for i := range peers {
		best = max(best, f.peerLeads(&peers[i], namespace, to))
	}
	return best
}

func (f *Facts) peerLeads(p *networkingv1.NetworkPolicyPeer, namespace string, to *Following) way {
	if p.IPBlock != nil {
		return maybe // some plugins take blocks for addresses outside the cluster alone
	}
	best := open
	if p.NamespaceSelector == nil {
		if namespace != to.Service.Namespace {
			return shut
		}
	} else {
		best = f.namespaceLeads(p.NamespaceSelector, to.Service.Namespace)
	}
	if p.PodSelector != nil {
		best = min(best, f.podsLead(p.PodSelector))
	}
	return best
}

// namespaceLeads says whether a selector takes discovery's namespace.
func (f *Facts) namespaceLeads(selector *metav1.LabelSelector, namespace string) way {
	for i := range f.Namespaces.Value {
		if n := &f.Namespaces.Value[i]; n.Name == namespace {
			if selects(selector, n.Labels) {
				return open
			}
			return shut
		}
	}
	return maybe
}

// podsLead says whether a selector takes discovery's Pods.
func (f *Facts) podsLead(selector *metav1.LabelSelector) way {
	servers := f.DiscoveryDeployments()
	for i := range servers {
		if selects(selector, servers[i].Spec.Template.Labels) {
			return open
		}
	}
	return maybeWithout(len(servers))
}

// maybeWithout is shut, or may not be where nobody is known who could tell.
func maybeWithout(known int) way {
	if known == 0 {
		return maybe
	}
	return shut
}

// selects says whether a selector takes labels. One that the API server would
// refuse takes none.
func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}

// portTo is discovery's port for a policy.
func portTo(to *Following) networkingv1.NetworkPolicyPort {
	tcp, port := corev1.ProtocolTCP, intstr.FromInt32(to.Port)
	return networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: &port}
}

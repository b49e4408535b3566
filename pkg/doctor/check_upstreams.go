package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

/*
Without discovery a sidecar finds the Pods of a Service by DNS, which names them
for headless Services alone. Behind a Service with a cluster IP it sees one
address, and all requests go where that connection went.

DNS of a headless Service tells addresses and no ports: the sidecar dials the
Pods' port, whatever the Service calls it.
*/

func checkUpstreams(f *Facts) Result {
	r := newResult("lb-upstreams", "the Services that the upstreams of load-balanced Pods name")
	var twins []string
	if !f.eachUpstream(&r, func(key BalancedKey, b Balanced, u Upstream) {
		service := f.Services.Value[u.Service]
		client := key.Owner.Namespace + " " + key.Owner.String()
		switch {
		case b.follows(u):
			// The check lb-followed looks at these.
		case u.Service == ServiceName{}:
		case service == nil && !f.hasNamespace(u.Service.Namespace):
			// A name of two labels outside the cluster.
		case service == nil:
			r.fail(fmt.Sprintf("%s: the Service %s of upstream %s is not there.", client, u.Service, u.Host), "Create it, or correct the annotation lb.probeshift.dev/upstreams.")
		case service.Spec.Type == corev1.ServiceTypeExternalName:
			r.note(fmt.Sprintf("%s: the Service %s is of type ExternalName, whose addresses DNS tells.", client, u.Service))
		case service.Spec.ClusterIP != corev1.ClusterIPNone:
			text := fmt.Sprintf("%s: the Service %s has a cluster IP, so DNS tells one address and nothing is balanced.", client, u.Service)
			if f.discoveryOn() {
				r.fail(text, "Create the Pods anew, so that they follow the Service's EndpointSlices: "+rollOut(key.Owner))
				return
			}
			twin, port, ok := headlessTwin(service, u.Port)
			if !ok {
				r.fail(text, "Create a headless Service for the same Pods and name it as backend: "+u.Dialled+"=NAME."+u.Service.Namespace+":PORT")
				return
			}
			r.fail(text, fmt.Sprintf("Apply the headless twin and name it in lb.probeshift.dev/upstreams: %s=%s-headless.%s:%d", u.Dialled, u.Service.Name, u.Service.Namespace, port))
			r.remedy("Or apply the component lb-discovery, with which new sidecars follow the Pods of any Service.")
			if !slices.Contains(twins, twin) {
				twins = append(twins, twin)
			}
		}
	}) {
		return r
	}
	r.Apply = strings.Join(twins, "---\n")
	if r.Verdict == OK {
		r.note("All that are looked up by DNS are headless.")
	}
	return r
}

// eachUpstream visits all upstreams; it is false when they could not be read or
// there are none, which the result then says.
func (f *Facts) eachUpstream(r *Result, visit func(BalancedKey, Balanced, Upstream)) bool {
	switch {
	case f.Pods.Err != nil:
		r.unread("Pods", f.Pods.Err)
		return false
	case f.Services.Err != nil:
		r.unread("Services", f.Services.Err)
		return false
	case len(f.Pods.Value.Balanced) == 0:
		r.unused("No Pod is load-balanced.")
		return false
	}
	for _, key := range f.Pods.Value.sortedBalanced() {
		b := f.Pods.Value.Balanced[key]
		for _, u := range b.Upstreams {
			visit(key, b, u)
		}
	}
	return true
}

func (f *Facts) hasNamespace(name string) bool {
	return f.Namespaces.Err != nil || slices.ContainsFunc(f.Namespaces.Value, func(n corev1.Namespace) bool { return n.Name == name })
}

// headlessTwin is a Service for the same Pods that DNS tells the addresses of,
// and the Pods' port behind a port of the Service. ok is false for a Service
// without a selector or the port, and for a port that only the Pods know by name.
func headlessTwin(s *corev1.Service, port int32) (manifest string, target int32, ok bool) {
	if len(s.Spec.Selector) == 0 {
		return "", 0, false
	}
	spec := corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: s.Spec.Selector}
	for _, p := range s.Spec.Ports {
		number := podPort(p)
		if p.Port == port {
			target = number
		}
		p.NodePort = 0
		if number != 0 {
			p.Port, p.TargetPort = number, intstr.FromInt32(number)
		}
		spec.Ports = append(spec.Ports, p)
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Service", "spec": spec,
		"metadata": map[string]string{"name": s.Name + "-headless", "namespace": s.Namespace},
	})
	return string(text), target, err == nil && target != 0
}

// podPort is the Pods' port behind a port of a Service, 0 where it has a name.
func podPort(p corev1.ServicePort) int32 {
	switch {
	case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "":
		return 0
	case p.TargetPort.IntVal != 0:
		return p.TargetPort.IntVal
	}
	return p.Port
}

func checkUpstreamPorts(f *Facts) Result {
	r := newResult("lb-ports", "ports of upstreams, and of the Services that they name")
	if !f.eachUpstream(&r, func(key BalancedKey, b Balanced, u Upstream) {
		client := key.Owner.Namespace + " " + key.Owner.String()
		if service := f.Services.Value[u.Service]; service != nil && service.Spec.ClusterIP == corev1.ClusterIPNone && !b.follows(u) {
			comparePorts(&r, client, u, service)
		}
		if dialled := f.Services.Value[dialledService(u)]; dialled != nil && key.Aliased {
			if others := otherPorts(dialled, b); len(others) > 0 {
				r.unknown(fmt.Sprintf("%s: the sidecar captures the name %s on all ports, and the Service's %s lead nowhere from there.", client, dialledService(u), strings.Join(others, ", ")),
					"Where the app dials them too, list them in lb.probeshift.dev/upstreams.")
			}
		}
	}) {
		return r
	}
	if r.Verdict == OK {
		r.note("They fit.")
	}
	return r
}

// comparePorts compares the port that a sidecar dials with those of the Pods
// behind a headless Service.
func comparePorts(r *Result, client string, u Upstream, s *corev1.Service) {
	var there []string
	for _, p := range s.Spec.Ports {
		number := podPort(p)
		if number == u.Port || number == 0 {
			return // the Pods alone know what a name stands for
		}
		there = append(there, strconv.Itoa(int(number)))
	}
	if len(there) > 0 {
		r.fail(fmt.Sprintf("%s: upstream %s:%d dials port %d of the Pods behind the headless Service %s, which leads to %s.", client, u.Host, u.Port, u.Port, u.Service, strings.Join(there, ", ")),
			"Name the Pods' port in lb.probeshift.dev/upstreams: "+u.Dialled+"="+u.Host+":"+there[0])
	}
}

// otherPorts are the ports of a dialled Service that no upstream lists.
func otherPorts(s *corev1.Service, b Balanced) []string {
	var others []string
	for _, p := range s.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		name := fmt.Sprintf("%s.%s:%d", s.Name, s.Namespace, p.Port)
		listed := slices.ContainsFunc(b.Upstreams, func(u Upstream) bool { return u.Dialled == name })
		if !listed && !(s.Spec.ClusterIP == corev1.ClusterIPNone && slices.ContainsFunc(b.Upstreams, func(u Upstream) bool {
			return dialledService(u) == ServiceName{s.Namespace, s.Name} && u.Port == podPort(p)
		})) {
			others = append(others, strconv.Itoa(int(p.Port)))
		}
	}
	return others
}

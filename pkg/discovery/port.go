package discovery

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

/*
The number in a name is the one that the application dials, and means what it
means to DNS. Behind a cluster IP it is a port of the Service, and the name of
that port leads to the number in each slice: Pods of one rollout may differ in
it. DNS of a headless Service tells the Pods' addresses and no ports, so the
number is one of the Pods, verbatim. Where no Pod has it and a port of the
Service does, the Pods' port behind that one is meant, which DNS would not lead
to.

Requests are sent over TCP; ports of other protocols are passed over.
*/

// portsOf are the ports of a slice's endpoints that a number means.
type portsOf func(*discoveryv1.EndpointSlice) []uint16

// choosePorts says which ports a number means. It is nil, with a verdict, where
// no port is meant. Beside ports a verdict may be empty.
func choosePorts(number uint16, service *corev1.Service, all []*discoveryv1.EndpointSlice) (portsOf, Verdict) {
	headless := service.Spec.ClusterIP == corev1.ClusterIPNone
	if headless && len(service.Spec.Ports) == 0 {
		return asWritten(number), Verdict{}
	}
	// Without endpoints nobody can say that the number is none of theirs.
	if headless && (carried(all, verbatim(number)) || !hasEndpoints(all)) {
		return verbatim(number), Verdict{}
	}
	port := servicePort(service, number)
	if port == nil {
		return nil, Verdict{NoSuchPort, noSuchPort(number, service, all)}
	}
	ports := named(port.Name)
	switch {
	case hasEndpoints(all) && !carried(all, ports):
		return ports, Verdict{PortNotInSlices, fmt.Sprintf(
			"the Service's port %d is named %q, and no EndpointSlice with endpoints has a TCP port of that name", number, port.Name)}
	case headless:
		return ports, Verdict{NotReachableByDNS, fmt.Sprintf(
			"%d is a port of the headless Service and not of its Pods, which listen on %s: DNS does not lead from one to the other",
			number, numbers(all, ports))}
	}
	return ports, Verdict{}
}

// servicePort is the TCP port of a Service that has a number, nil where there is
// none.
func servicePort(service *corev1.Service, number uint16) *corev1.ServicePort {
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if port.Port == int32(number) && isTCP(port.Protocol) {
			return port
		}
	}
	return nil
}

// asWritten is the number itself, whatever a slice says of ports.
func asWritten(number uint16) portsOf {
	return func(*discoveryv1.EndpointSlice) []uint16 { return []uint16{number} }
}

// verbatim is the number itself where a slice carries it. A port without a number
// stands for all of them.
func verbatim(number uint16) portsOf {
	return func(s *discoveryv1.EndpointSlice) []uint16 {
		if slices.ContainsFunc(s.Ports, func(p discoveryv1.EndpointPort) bool {
			return isTCPPort(p) && (p.Port == nil || *p.Port == int32(number))
		}) {
			return []uint16{number}
		}
		return nil
	}
}

// named are the numbers that a slice has under a port's name. A name that is
// missing is the empty one, which the only port of a Service may have. A port
// without a number leads nowhere, as with kube-proxy.
func named(name string) portsOf {
	return func(s *discoveryv1.EndpointSlice) []uint16 {
		var found []uint16
		for _, p := range s.Ports {
			if number, ok := portNumber(p); ok && isTCPPort(p) && portName(p) == name {
				found = append(found, number)
			}
		}
		return found
	}
}

// everyPort are all numbers of a slice.
func everyPort(s *discoveryv1.EndpointSlice) []uint16 {
	var found []uint16
	for _, p := range s.Ports {
		if number, ok := portNumber(p); ok && isTCPPort(p) {
			found = append(found, number)
		}
	}
	return found
}

// portNumber is a port's number; ok is false where there is none to be dialled.
func portNumber(p discoveryv1.EndpointPort) (number uint16, ok bool) {
	if p.Port == nil || *p.Port < 1 || *p.Port > math.MaxUint16 {
		return 0, false
	}
	return uint16(*p.Port), true
}

func portName(p discoveryv1.EndpointPort) string {
	if p.Name == nil {
		return ""
	}
	return *p.Name
}

func isTCPPort(p discoveryv1.EndpointPort) bool { return p.Protocol == nil || isTCP(*p.Protocol) }

// isTCP says whether a protocol is TCP, which is the default.
func isTCP(p corev1.Protocol) bool { return p == corev1.ProtocolTCP || p == "" }

// carried says whether endpoints have such a port.
func carried(all []*discoveryv1.EndpointSlice, ports portsOf) bool {
	return slices.ContainsFunc(all, func(s *discoveryv1.EndpointSlice) bool {
		return len(s.Endpoints) > 0 && len(ports(s)) > 0
	})
}

// hasEndpoints says whether there is an endpoint at all.
func hasEndpoints(all []*discoveryv1.EndpointSlice) bool { return carried(all, asWritten(1)) }

// noSuchPort says what there is in place of a number.
func noSuchPort(number uint16, service *corev1.Service, all []*discoveryv1.EndpointSlice) string {
	var there []string
	for _, p := range service.Spec.Ports {
		if isTCP(p.Protocol) {
			there = append(there, strconv.Itoa(int(p.Port)))
		}
	}
	text := fmt.Sprintf("%d is no TCP port of the Service", number)
	if len(there) > 0 {
		text += ", which has " + strings.Join(there, ", ")
	}
	if service.Spec.ClusterIP == corev1.ClusterIPNone {
		text += "; it is headless, and its endpoints have " + numbers(all, everyPort)
	}
	return text
}

// numbers lists the numbers of slices with endpoints for a sentence.
func numbers(all []*discoveryv1.EndpointSlice, ports portsOf) string {
	var found []uint16
	for _, s := range all {
		if len(s.Endpoints) > 0 {
			found = append(found, ports(s)...)
		}
	}
	if len(found) == 0 {
		return "none"
	}
	slices.Sort(found)
	var words []string
	for _, number := range slices.Compact(found) {
		words = append(words, strconv.Itoa(int(number)))
	}
	return strings.Join(words, ", ")
}

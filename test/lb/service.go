package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is a Service of the API server. The bed does for it what a cluster
// does: it writes EndpointSlices as the endpoint controller does, rules for
// packets as kube-proxy does, and answers of DNS as CoreDNS does, with the delay
// of its cache.
type service struct {
	bed       *bed
	name      string
	namespace string
	// ip is the ClusterIP; the zero value makes the Service headless.
	ip   netip.Addr
	port int32
	// more are further ports; what they are in the Pods is the same number.
	more []int32
	// manual is a Service without a selector.
	manual bool
	// families are the Service's ipFamilies; empty: the API server decides.
	families []corev1.IPFamily
}

// portName is what the ports of the Services are called, and those of slices.
const portName = "grpc"

// named is the name of a further port.
func named(port int32) string { return fmt.Sprintf("port-%d", port) }

// create writes the Service, and for a ClusterIP what DNS says of it.
func (s *service) create(ctx context.Context) error {
	if s.ip.IsValid() {
		bits := "/" + strconv.Itoa(s.ip.BitLen())
		// Present when the Service is created a second time.
		if err := ip(ctx, "addr", "replace", s.ip.String()+bits, "dev", "lo"); err != nil {
			return err
		}
		s.bed.names.set(s.domain(), s.ip)
	}
	_, err := s.bed.plane.client.CoreV1().Services(s.namespace).Create(ctx, s.object(), metav1.CreateOptions{})
	return err
}

// object is the Service as it is written.
func (s *service) object() *corev1.Service {
	made := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Namespace: s.namespace},
		Spec: corev1.ServiceSpec{
			ClusterIP:  corev1.ClusterIPNone,
			IPFamilies: s.families,
			Ports:      []corev1.ServicePort{{Name: portName, Port: s.port, TargetPort: intstr.FromInt32(grpcPort)}},
		},
	}
	for _, port := range s.more {
		made.Spec.Ports = append(made.Spec.Ports, corev1.ServicePort{Name: named(port), Port: port})
	}
	if s.ip.IsValid() {
		made.Spec.ClusterIP = s.ip.String()
	}
	if len(s.families) > 1 {
		policy := corev1.IPFamilyPolicyRequireDualStack
		made.Spec.IPFamilyPolicy = &policy
	}
	if !s.manual {
		made.Spec.Selector = map[string]string{"app": s.name}
	}
	return made
}

// remove deletes the Service; its slices stay until they are deleted.
func (s *service) remove(ctx context.Context) error {
	return s.bed.plane.client.CoreV1().Services(s.namespace).Delete(ctx, s.name, metav1.DeleteOptions{})
}

// domain is its name in DNS.
func (s *service) domain() string { return s.name + "." + s.namespace + ".svc." + clusterDomain + "." }

// becomes makes these backends, all ready, the endpoints of the Service: in its
// slice and in kube-proxy's rules now, in DNS when its cache has expired.
func (s *service) becomes(ctx context.Context, backends ...*backend) error {
	if err := s.write(ctx, s.slice("all", backends...)); err != nil {
		return err
	}
	return s.tellOthers(ctx, backends...)
}

// tellOthers is becomes without the slices: what DNS and kube-proxy make of it.
func (s *service) tellOthers(ctx context.Context, backends ...*backend) error {
	if s.ip.IsValid() {
		var destinations []string
		for _, be := range backends {
			destinations = append(destinations, be.port(grpcPort))
		}
		return s.lead(ctx, destinations...)
	}
	if s.bed.stale == 0 {
		s.bed.names.set(s.domain(), addresses(backends)...)
		return nil
	}
	time.AfterFunc(s.bed.stale, func() { s.bed.names.set(s.domain(), addresses(backends)...) })
	return nil
}

// slice is an EndpointSlice of these backends, all ready. Its family is that of
// the first.
func (s *service) slice(name string, backends ...*backend) *discoveryv1.EndpointSlice {
	made := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name + "-" + name, Namespace: s.namespace,
			Labels: map[string]string{discoveryv1.LabelServiceName: s.name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{}, // the API server takes no null
		Ports:       []discoveryv1.EndpointPort{{Name: new(portName), Port: new(int32(grpcPort)), Protocol: new(corev1.ProtocolTCP)}},
	}
	for _, port := range s.more {
		made.Ports = append(made.Ports, discoveryv1.EndpointPort{Name: new(named(port)), Port: new(port), Protocol: new(corev1.ProtocolTCP)})
	}
	if len(backends) > 0 && backends[0].address.Is6() {
		made.AddressType = discoveryv1.AddressTypeIPv6
	}
	for _, be := range backends {
		made.Endpoints = append(made.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{be.address.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
		})
	}
	return made
}

// write creates or replaces slices, one after the other.
func (s *service) write(ctx context.Context, slices ...*discoveryv1.EndpointSlice) error {
	client := s.bed.plane.client.DiscoveryV1().EndpointSlices(s.namespace)
	for _, slice := range slices {
		_, err := client.Update(ctx, slice, metav1.UpdateOptions{})
		if apierrors.IsNotFound(err) {
			_, err = client.Create(ctx, slice, metav1.CreateOptions{})
		}
		if err != nil {
			return fmt.Errorf("writing the EndpointSlice %s: %w", slice.Name, err)
		}
	}
	return nil
}

// erase deletes a slice.
func (s *service) erase(ctx context.Context, name string) error {
	return s.bed.plane.client.DiscoveryV1().EndpointSlices(s.namespace).Delete(ctx, s.name+"-"+name, metav1.DeleteOptions{})
}

// chain is the name of its chain of kube-proxy's rules.
func (s *service) chain() string { return "SVC-" + s.name }

// lead writes the rules that lead each connection to the ClusterIP to one of
// these destinations, at random, all rules in one go as kube-proxy does. Without
// destinations connections are refused.
func (s *service) lead(ctx context.Context, destinations ...string) error {
	if s.ip.Is6() {
		return errors.New("the bed leads connections to IPv4 alone")
	}
	var rules strings.Builder
	fmt.Fprintf(&rules, "*nat\n:%s - [0:0]\n", s.chain())
	for i, destination := range destinations {
		fmt.Fprintf(&rules, "-A %s -p tcp -m statistic --mode random --probability %.5f -j DNAT --to-destination %s\n",
			s.chain(), 1/float64(len(destinations)-i), destination)
	}
	rules.WriteString("COMMIT\n")
	restore := exec.CommandContext(ctx, "iptables-restore", "-w", "--noflush")
	restore.Stdin = strings.NewReader(rules.String())
	if said, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("writing the rules of %s: %w: %s", s.name, err, said)
	}
	jump := []string{"OUTPUT", "-t", "nat", "-d", s.ip.String(), "-p", "tcp", "--dport", strconv.Itoa(int(s.port)), "-j", s.chain()}
	if command(ctx, "iptables", append([]string{"-w", "-C"}, jump...)...) == nil {
		return nil
	}
	return command(ctx, "iptables", append([]string{"-w", "-A"}, jump...)...)
}

// through is how many connections went to the ClusterIP so far: each counts once
// in the rules that translate its address.
func (s *service) through(ctx context.Context) (int, error) {
	said, err := exec.CommandContext(ctx, "iptables", "-w", "-t", "nat", "-nvxL", "OUTPUT").Output()
	if err != nil {
		return 0, fmt.Errorf("reading the counters of %s: %w", s.name, err)
	}
	for line := range strings.Lines(string(said)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == s.chain() {
			return strconv.Atoi(fields[0])
		}
	}
	return 0, fmt.Errorf("no rule leads to %s", s.name)
}

package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// application is a Pod of an example that lists upstreams, as it is written and
// as the webhook makes it.
type application struct {
	written, patched *corev1.Pod
	upstreams        []dialled
}

// dialled is one upstream that an application lists.
type dialled struct {
	// service is the name of the Service behind it, in the Pod's own namespace.
	service string
	// address is what the patched Pod tells the application to dial.
	address string
}

// newApplication patches a Pod and reads where its upstreams are dialled.
func newApplication(written *corev1.Pod, policy sidecar.Policy) (application, error) {
	patched, _, err := inject(written, policy)
	if err != nil {
		return application{}, err
	}
	a := application{written: written, patched: patched}
	for entry := range strings.FieldsFuncSeq(written.Annotations[sidecar.UpstreamsAnnotation], func(r rune) bool { return r == ',' || r == '\n' }) {
		name, backend, renamed := strings.Cut(entry, "=")
		if !renamed {
			backend = name
		}
		address, err := a.addressOf(firstLabel(name))
		if err != nil {
			return a, err
		}
		a.upstreams = append(a.upstreams, dialled{service: firstLabel(backend), address: address})
	}
	return a, nil
}

// addressOf is where the application dials a name: what the patched Pod has in
// the variable that held the name and a port before.
func (a application) addressOf(name string) (string, error) {
	for i, container := range a.written.Spec.Containers {
		before, after := environment(container, a.written.Labels, podIP), environment(a.patched.Spec.Containers[i], a.patched.Labels, podIP)
		for _, variable := range container.Env {
			if host, _, err := net.SplitHostPort(before[variable.Name]); err == nil && firstLabel(host) == name {
				return after[variable.Name], nil
			}
		}
	}
	return "", fmt.Errorf("no variable of %s holds the address of its upstream %s", a.written.Name, name)
}

// ports are those that the containers of the Pod declare.
func (a application) ports() []int {
	var all []int
	for _, container := range a.written.Spec.Containers {
		for _, port := range container.Ports {
			all = append(all, int(port.ContainerPort))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// firstLabel is the first label of a name, which a port may follow.
func firstLabel(name string) string {
	if end := strings.IndexAny(name, ".:"); end >= 0 {
		return name[:end]
	}
	return name
}

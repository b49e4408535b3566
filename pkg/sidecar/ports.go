package sidecar

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/probeshift/probeshift/pkg/healthprobe"
)

/*
A socket on 127.x.y.z:P and the application's own socket on 0.0.0.0:P or [::]:P
cannot both be there, and the sidecar starts first. Where the application listens
is known from what it declares, from what probes it, and from app-ports.
*/

const (
	// firstFree and lastFree bound the ports that the sidecar takes instead of
	// one that clashes: below the ephemeral ports (32768), and clear of the
	// ports that meshes take (Istio 15000 to 15090, Consul 20000 to 21255,
	// Linkerd 4140 to 4191).
	firstFree = 25000
	lastFree  = 29999
)

// listeners tells who listens on a TCP port of the Pod, in words.
type listeners map[uint16]string

// add notes a listener; the first one on a port is the one that is told.
func (l listeners) add(port int32, who string) {
	if port < 1 || port > 65535 {
		return
	}
	if _, known := l[uint16(port)]; !known {
		l[uint16(port)] = who
	}
}

// free returns a port that nobody has.
func (l listeners) free() (port uint16, ok bool) {
	for port := uint16(firstFree); port <= lastFree; port++ {
		if _, taken := l[port]; !taken {
			return port, true
		}
	}
	return 0, false
}

// listenersOf finds the ports that the Pod itself listens on. The sidecar's own
// container is left out.
func listenersOf(pod *corev1.Pod, appPorts []uint16, toolNames []string) listeners {
	l := listeners{}
	for _, port := range appPorts {
		l.add(int32(port), "annotation "+Prefix+"app-ports")
	}
	reader := healthprobe.Reader{ToolNames: toolNames}.ForMany()
	visitContainers(pod, func(c *corev1.Container, _ string) {
		for _, p := range c.Ports {
			if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
				l.add(p.ContainerPort, "container "+c.Name+" declares it")
			}
		}
		l.addHandlers(c, reader, pod.Spec.HostNetwork)
	})
	return l
}

// addHandlers notes what probes and lifecycle hooks of a container dial in it.
func (l listeners) addHandlers(c *corev1.Container, reader healthprobe.Reader, hostNetwork bool) {
	for _, p := range []struct {
		kind string
		*corev1.Probe
	}{{"liveness", c.LivenessProbe}, {"readiness", c.ReadinessProbe}, {"startup", c.StartupProbe}} {
		probe := p.Probe
		if probe == nil {
			continue
		}
		who := fmt.Sprintf("container %s has a %s probe of it", c.Name, p.kind)
		l.addDialled(probe.HTTPGet, probe.TCPSocket, who)
		if probe.GRPC != nil {
			l.add(probe.GRPC.Port, who)
		}
		if probe.Exec != nil {
			l.add(reader.Read(probe.Exec.Command, healthprobe.Container{Env: c.Env, HostNetwork: hostNetwork}).Check.Port, who)
		}
	}
	if c.Lifecycle == nil {
		return
	}
	for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
		if hook != nil {
			l.addDialled(hook.HTTPGet, hook.TCPSocket, fmt.Sprintf("container %s has a lifecycle hook for it", c.Name))
		}
	}
}

// addDialled notes the port of a handler that dials the Pod. Named ports are
// declared ones.
func (l listeners) addDialled(http *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction, who string) {
	if http != nil && isPod(http.Host) && http.Port.Type == intstr.Int {
		l.add(http.Port.IntVal, who)
	}
	if tcp != nil && isPod(tcp.Host) && tcp.Port.Type == intstr.Int {
		l.add(tcp.Port.IntVal, who)
	}
}

// isPod says whether a handler with this host dials the Pod itself.
func isPod(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || err == nil && address.IsLoopback()
}

// visitContainers calls visit for each container and init container but the
// sidecar's own, with its JSON pointer.
func visitContainers(pod *corev1.Pod, visit func(c *corev1.Container, path string)) {
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.Name != ContainerName {
			visit(c, fmt.Sprintf("/spec/initContainers/%d", i))
		}
	}
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Name != ContainerName {
			visit(c, fmt.Sprintf("/spec/containers/%d", i))
		}
	}
}

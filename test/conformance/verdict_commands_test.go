package conformance

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// podIPHere plays the Pod's IPv4 address: a server on 127.0.0.1 alone does not
// answer there, one on all addresses does.
const podIPHere = "127.9.8.7"

// podIPv6Here plays the Pod's IPv6 address: one of this machine's that is not
// ::1, or nothing where there is none.
func podIPv6Here(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() == nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}

// legacy is a probe as somebody wrote it. PORT stands for the server's port.
type legacy struct {
	name           string
	command        []string
	env            []corev1.EnvVar
	timeoutSeconds int32
	// where is what surrounds it.
	where surroundings
	// slow says that it is tried with servers that let probes wait.
	slow bool
	// service and tls are what the native probe asks for, were it rewritten.
	service string
	tls     bool
}

// surroundings are what a manifest or a cluster holds around a probe.
type surroundings struct {
	ipv6, undeclared, hostNetwork, mesh bool
}

// legacies are the kinds of command that are accepted, and for each rule one
// that is not.
func legacies() []legacy {
	tool := func(flags ...string) []string { return append([]string{"grpc_health_probe"}, flags...) }
	script := func(shell, text string) []string { return append(strings.Fields(shell), text) }
	address := []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}
	return []legacy{
		{name: ":PORT", slow: true, command: tool("-addr=:PORT"), timeoutSeconds: 5},
		{name: "localhost", command: tool("--addr", "localhost:PORT"), timeoutSeconds: 5},
		{name: "127.0.0.1", command: tool("-addr=127.0.0.1:PORT", "-v"), timeoutSeconds: 5},
		{name: "0.0.0.0", command: tool("-addr", "0.0.0.0:PORT"), timeoutSeconds: 5},
		{name: "[::]", command: tool("-addr=[::]:PORT"), timeoutSeconds: 5},
		{name: "dns:///", command: tool("-addr=dns:///localhost:PORT"), timeoutSeconds: 5},
		{name: "passthrough:///", command: tool("-addr=passthrough:///127.0.0.1:PORT"), timeoutSeconds: 5},
		{name: "a service", command: tool("-addr=:PORT", "-service="+known), service: known, timeoutSeconds: 5},
		{name: "a service that is not there", command: tool("-addr=:PORT", "-service=nobody.Knows"), service: "nobody.Knows", timeoutSeconds: 5},
		{name: "$(LISTEN)", command: tool("-addr=:$(LISTEN)"), env: []corev1.EnvVar{{Name: "LISTEN", Value: "PORT"}}, timeoutSeconds: 5},
		{name: "sh", command: script("sh -c", `exec grpc_health_probe -addr="localhost:${LISTEN}" >/dev/null 2>&1 || exit 1`), env: []corev1.EnvVar{{Name: "LISTEN", Value: "PORT"}}, timeoutSeconds: 5},
		{name: "bash", command: script("bash -c", "set -euo pipefail; grpc_health_probe -addr=:PORT"), timeoutSeconds: 5},
		{name: "busybox sh", command: script("busybox sh -c", "grpc_health_probe -addr=:PORT || false"), timeoutSeconds: 5},
		{name: "the Pod's address", command: script("sh -c", "grpc_health_probe -addr=$POD_IP:PORT"), env: address, timeoutSeconds: 5},
		{name: "the Pod's address, not declared", command: script("sh -c", "grpc_health_probe -addr=$POD_IP:PORT"), env: address, where: surroundings{undeclared: true}, timeoutSeconds: 5},
		{name: "the Pod's address, host network", command: script("sh -c", "grpc_health_probe -addr=$POD_IP:PORT"), env: address, where: surroundings{hostNetwork: true}, timeoutSeconds: 5},
		{name: "env", command: append([]string{"env", "A=B"}, tool("-addr=:PORT")...), timeoutSeconds: 5},
		{name: "timeout 2", slow: true, command: append([]string{"timeout", "2"}, tool("-addr=:PORT", "-connect-timeout=9s", "-rpc-timeout=9s")...), timeoutSeconds: 10},
		{name: "timeoutSeconds 1", slow: true, command: tool("-addr=:PORT"), timeoutSeconds: 1},
		{name: "3 s and 3 s", slow: true, command: tool("-addr=:PORT", "-connect-timeout=3s", "-rpc-timeout=3s"), timeoutSeconds: 10},
		{name: "5 s and 1 s", slow: true, command: tool("-addr=:PORT", "-connect-timeout=5s"), timeoutSeconds: 10},
		{name: "1 s and 5 s", slow: true, command: tool("-addr=:PORT", "-rpc-timeout=5s"), timeoutSeconds: 10},
		{name: "9 s and 9 s, timeoutSeconds 1", slow: true, command: tool("-addr=:PORT", "-connect-timeout=9s", "-rpc-timeout=9s"), timeoutSeconds: 1},
		{name: "TLS, not verified", command: tool("-addr=:PORT", "-tls", "-tls-no-verify"), tls: true, timeoutSeconds: 5},
		{name: "[::1], IPv6 first", command: tool("-addr=[::1]:PORT"), where: surroundings{ipv6: true}, timeoutSeconds: 5},
		{name: "the Pod's address, IPv6 first", command: script("sh -c", `grpc_health_probe "-addr=[$POD_IP]:PORT"`), env: address, where: surroundings{ipv6: true}, timeoutSeconds: 5},
		// What a rule leaves alone.
		{name: ":PORT, IPv6 first", command: tool("-addr=:PORT"), where: surroundings{ipv6: true}, timeoutSeconds: 5},
		{name: "[::1]", command: tool("-addr=[::1]:PORT"), timeoutSeconds: 5},
		{name: ":PORT, not declared", command: tool("-addr=:PORT"), where: surroundings{undeclared: true}, timeoutSeconds: 5},
		{name: ":PORT, host network", command: tool("-addr=:PORT"), where: surroundings{hostNetwork: true}, timeoutSeconds: 5},
		{name: ":PORT, in a mesh", command: tool("-addr=:PORT"), where: surroundings{mesh: true}, timeoutSeconds: 5},
		{name: "another loopback address", command: tool("-addr=127.0.0.2:PORT"), timeoutSeconds: 5},
		{name: "a header", command: tool("-addr=:PORT", "-rpc-header=token: x"), timeoutSeconds: 5},
		{name: "gzip", command: tool("-addr=:PORT", "-gzip"), timeoutSeconds: 5},
		{name: "a user-agent", command: tool("-addr=:PORT", "-user-agent=grpc_health_probe of ours"), timeoutSeconds: 5},
		{name: "TLS, verified", command: tool("-addr=:PORT", "-tls"), tls: true, timeoutSeconds: 5},
		{name: "|| true", command: script("sh -c", "grpc_health_probe -addr=:PORT || true"), timeoutSeconds: 5},
		{name: "no unit", command: tool("-addr=:PORT", "-rpc-timeout=3"), timeoutSeconds: 5},
		{name: "-version", command: tool("-addr=:PORT", "-version"), timeoutSeconds: 5},
	}
}

// at puts a server's port into a probe.
func (l legacy) at(port string) legacy {
	l.command, l.env = slices.Clone(l.command), slices.Clone(l.env)
	for i := range l.command {
		l.command[i] = strings.ReplaceAll(l.command[i], "PORT", port)
	}
	for i := range l.env {
		l.env[i].Value = strings.ReplaceAll(l.env[i].Value, "PORT", port)
	}
	return l
}

// decide is what becomes of the probe in a Pod that declares the port, on a
// cluster with TLS probes.
func (l legacy) decide(t *testing.T, port string) mutate.Finding {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	container := corev1.Container{
		Name: "server", Env: l.env,
		Ports: []corev1.ContainerPort{{ContainerPort: int32(number)}},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:   corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: l.command}},
			TimeoutSeconds: l.timeoutSeconds,
		},
	}
	if l.where.undeclared {
		container.Ports = nil
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{HostNetwork: l.where.hostNetwork, Containers: []corev1.Container{container}}}
	if l.where.mesh {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "linkerd-proxy"})
	}
	// TLS probes need mesh: ignore, which would also lift the rule about meshes.
	result := mutate.Mutate(pod, mutate.Policy{TLSProbes: true, IgnoreMesh: !l.where.mesh, IPv6: l.where.ipv6})
	if len(result.Findings) != 1 {
		t.Fatalf("%s: %d findings of one probe", l.name, len(result.Findings))
	}
	return result.Findings[0]
}

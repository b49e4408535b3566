package lbcases

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// Namespace is the namespace that the cases' Pods are created in.
const Namespace = "shop"

// Random makes a Pod of the parts that an injection depends on. It passes
// PodSecurity "restricted", and asks for the sidecar; most of them can have it.
func Random(source *rand.Rand) *corev1.Pod {
	d := dice{source}
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "random", Namespace: Namespace, Annotations: d.annotations()},
		Spec:       corev1.PodSpec{SecurityContext: d.podSecurity()},
	}
	for i := range 1 + d.IntN(2) {
		pod.Spec.Containers = append(pod.Spec.Containers, d.container("c"+strconv.Itoa(i)))
	}
	for i := range d.IntN(3) {
		c := d.container("i" + strconv.Itoa(i))
		if d.seldom() {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		} else { // an init container has no probes
			c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = nil, nil, nil
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	if d.seldom() {
		pod.Spec.HostAliases = []corev1.HostAlias{{IP: d.one("127.64.0.1", "192.0.2.7", "::1"), Hostnames: []string{d.one("legacy", "greeter", "db.example.com")}}}
	}
	if d.seldom() {
		pod.Spec.DNSPolicy = corev1.DNSDefault
	}
	return pod
}

// dice choose.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }
func (d dice) seldom() bool            { return d.IntN(8) == 0 }

func (d dice) annotations() map[string]string {
	all := map[string]string{sidecar.UpstreamsAnnotation: d.upstreams(), "example.com/others": "<&>\u2028"}
	for _, choice := range [][]string{
		{"intercept", "auto", "auto", "auto", "hosts", "env", "none"},
		{"app-ports", "7000", "9000,9001", "25000"},
		{"algorithm", "least-request", "round-robin", "random"},
		{"protocol", "auto", "http", "tcp"},
		{"retries", "0", "3", "10"},
		{"health-check", "none", "tcp", "grpc", "grpc:hello.v1.Greeter"},
		{"dns-refresh", "1s", "1500ms", "1m"},
		{"metrics-port", "80", "9102", "65535"},
		{"cpu-request", "1m", "2", "1.5"},
		{"memory-request", "20Mi", "1Gi", "50M"},
		{"cpu-limit", "300m", "4"},
		{"memory-limit", "64Mi", "2Gi"},
		{"status", "", "{}", "null", `{"hash":"1"}`},
		{"port", "1"},
	} {
		rare := choice[0] == "port"
		if d.seldom() && (!rare || d.seldom()) {
			all[sidecar.Prefix+choice[0]] = d.one(choice[1:]...)
		}
	}
	return all
}

// upstreams is a list in which names and ports come up again.
func (d dice) upstreams() string {
	var entries []string
	seen := map[string]bool{}
	for range 1 + d.IntN(3) {
		host := d.one("greeter", "greeter.shop", "hello", "cart.hall", "cart.hall.svc", "a.b.example.com", "billing.money.svc.cluster.local.", "api.example.com.")
		entry := host + ":" + d.port()
		if d.seldom() {
			entry = d.one("cart", "greeter:8080", "other.example.com", "hello:443") + "=" + entry
		}
		if name, _, _ := strings.Cut(entry, "."); !seen[name] || d.seldom() {
			entries = append(entries, entry)
			seen[name] = true
		}
	}
	return strings.Join(entries, d.one(",", "\n", " , \n"))
}

func (d dice) port() string {
	return d.one("9000", "9000", "9000", "9000", "9000", "9001", "8080", "443", "15902")
}

// text is a value that may hold an address.
func (d dice) text() string {
	host := d.one("greeter", "greeter.shop", "hello", "cart.hall.svc", "mygreeter", "a.b.example.com", "$(HOST)", "GREETER", "cart")
	address := host + ":" + d.one("9000", "9000", "9000", "9000", "9000", "9001", "$(PORT)")
	switch d.IntN(6) {
	case 0:
		return "http://" + address + "/path?x=$$(Y)"
	case 1:
		return "--addr=" + address + "," + address
	case 2:
		return d.one("", "info", "$(", "a:b", "[::1]:80", "\u00e9:9000", "$(HOST)$(PORT)")
	}
	return address
}

func (d dice) container(name string) corev1.Container {
	no := false
	c := corev1.Container{
		Name: name, Image: "example.com/" + name + ":1.0.0",
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		Env: []corev1.EnvVar{
			{Name: "HOST", Value: d.one("greeter", "hello", "greeter.$(NAMESPACE)")},
			{Name: "PORT", Value: d.port()},
			{Name: "NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
		},
	}
	for i := range d.IntN(3) {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("TEXT_%d", i), Value: d.text()})
		c.Args = append(c.Args, d.text())
	}
	if d.seldom() {
		c.Command = []string{"/bin/sh", "-c", "exec /app " + d.text()}
	}
	if d.seldom() {
		c.Ports = []corev1.ContainerPort{{ContainerPort: d.number("8080", "9000", "9001", "7000")}}
	}
	if d.seldom() {
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(d.number("8080", "9000"))}}}
	}
	if d.seldom() {
		c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{
			Command: []string{"/bin/grpc_health_probe", "-addr=:" + d.one("8080", "7000")},
		}}}
	}
	c.Resources = d.resources()
	return c
}

func (d dice) number(of ...string) int32 {
	n, err := strconv.ParseInt(d.one(of...), 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

func (d dice) resources() corev1.ResourceRequirements {
	both := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	switch d.IntN(4) {
	case 0:
		return corev1.ResourceRequirements{}
	case 1:
		return corev1.ResourceRequirements{Requests: both}
	}
	return corev1.ResourceRequirements{Requests: both, Limits: both}
}

func (d dice) podSecurity() *corev1.PodSecurityContext {
	yes := true
	context := &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	if d.seldom() {
		user := int64(62902)
		context.RunAsUser = &user
	}
	if d.seldom() {
		context.Sysctls = []corev1.Sysctl{{Name: d.one("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"), Value: d.one("0", "443", "444")}}
	}
	return context
}

package mutate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

func TestThePatchOfRandomPodsKeepsItsPromises(t *testing.T) {
	const pods = 1000
	outcomes := map[mutate.Outcome]int{}
	for seed := range uint64(pods) {
		dice := dice{rand.New(rand.NewPCG(seed, 1))}
		policy := dice.policy()
		pod := dice.pod(policy)
		sent, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		if problem := brokenPromise(sent, policy); problem != "" {
			t.Fatalf("seed %d: %s\npolicy: %+v\nsent: %s", seed, problem, policy, sent)
		}
		for _, f := range mutate.Mutate(pod, policy).Findings {
			outcomes[f.Outcome]++
		}
	}
	for _, outcome := range []mutate.Outcome{mutate.Rewritten, mutate.WouldRewrite, mutate.Restored, mutate.Skipped} {
		if outcomes[outcome] < pods/100 {
			t.Errorf("only %d probes came out as %s: the Pods are too much alike to prove anything", outcomes[outcome], outcome)
		}
	}
}

// dice make Pods of the parts that decisions depend on.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

// often is true three times out of four, seldom once out of eight.
func (d dice) often() bool  { return d.IntN(4) > 0 }
func (d dice) seldom() bool { return d.IntN(8) == 0 }

func (d dice) policy() mutate.Policy {
	policy := mutate.Policy{
		Audit: d.seldom(), AnyPort: d.seldom(), IgnoreMesh: d.seldom(), IgnoreIPFamily: d.seldom(),
		IPv6: d.seldom(), TLSProbes: d.seldom(), SkipBarePods: d.seldom(),
	}
	if d.seldom() {
		policy.ToolNames = []string{"healthcheck"}
	}
	return policy
}

func (d dice) pod(policy mutate.Policy) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "random"},
		Spec:       corev1.PodSpec{HostNetwork: d.seldom()},
	}
	for i := range 1 + d.IntN(4) {
		pod.Spec.Containers = append(pod.Spec.Containers, d.container(fmt.Sprintf("c%d", i)))
	}
	for i := range d.IntN(3) {
		c := d.container(fmt.Sprintf("i%d", i))
		if d.often() {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	if d.often() {
		pod.Annotations = d.annotations()
	}
	if d.seldom() {
		d.calledBefore(pod, policy)
	}
	return pod
}

// calledBefore gives a Pod what an earlier call under the same policy made of
// it, and perhaps a mesh's proxy that came after.
func (d dice) calledBefore(pod *corev1.Pod, policy mutate.Policy) {
	sent, err := json.Marshal(pod)
	if err != nil {
		return
	}
	if _, after, err := decideAndPatch(sent, policy); err == nil {
		*pod = corev1.Pod{}
		_ = json.Unmarshal(after, pod) // it has just been decoded
	}
	if d.often() {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "linkerd-proxy"})
	}
}

func (d dice) annotations() map[string]string {
	all := map[string]string{}
	for _, choice := range [][]string{
		{mutate.ProbesAnnotation, "rewrite", "rewrite", "audit", "off", "perhaps"},
		{mutate.PortsAnnotation, "declared", "any", "all"},
		{mutate.MeshAnnotation, "respect", "ignore", ""},
		{mutate.IPFamilyAnnotation, "respect", "ignore"},
		{mutate.StatusAnnotation, "", "{}", "null", `{"probes":{"c0":{"readiness":{"outcome":"skipped","reason":"shell-logic"}}}}`},
		{"linkerd.io/inject", "enabled", "disabled"},
		{"example.com/~key/of~others", "<&>\u2028"},
	} {
		if d.seldom() {
			all[choice[0]] = d.one(choice[1:]...)
		}
	}
	return all
}

func (d dice) container(name string) corev1.Container {
	c := corev1.Container{Name: name, Image: "example.com/random:1", LivenessProbe: d.probe(), ReadinessProbe: d.probe(), StartupProbe: d.probe()}
	if d.often() {
		c.Ports = []corev1.ContainerPort{{ContainerPort: 8080, Protocol: corev1.Protocol(d.one("", "TCP", "TCP", "UDP"))}}
	}
	for range d.IntN(3) {
		v := corev1.EnvVar{Name: d.one("PORT", "POD_IP", "EXTRA", "HTTPS_PROXY", "HOSTNAME")}
		v.Value = d.one("8080", "", "-v", "$(PORT)", "a b", "*", "proxy:3128")
		if v.Value == "" && d.often() {
			v.ValueFrom = &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: d.one("status.podIP", "status.hostIP", "metadata.name")}}
		}
		c.Env = append(c.Env, v)
	}
	return c
}

func (d dice) probe() *corev1.Probe {
	if !d.often() {
		return nil
	}
	p := &corev1.Probe{TimeoutSeconds: int32(d.IntN(6)), PeriodSeconds: int32(d.IntN(3))}
	service := d.one("", "a.B")
	switch d.IntN(12) {
	case 0:
		p.GRPC = &corev1.GRPCAction{Port: 8080, Service: &service}
	case 1:
		p.HTTPGet = &corev1.HTTPGetAction{Path: "/app-health"}
	default:
		p.Exec = &corev1.ExecAction{Command: d.command()}
	}
	if d.IntN(40) == 0 {
		p.TCPSocket = &corev1.TCPSocketAction{}
	}
	return p
}

// command is the tool with some of its flags, perhaps in wrappers, perhaps
// with a stray word anywhere.
func (d dice) command() []string {
	words := []string{d.one("/bin/grpc_health_probe", "grpc-health-probe-linux-amd64", "healthcheck", "/grpc_health_probe.exe")}
	words = append(words, "-addr="+d.one(":8080", ":8080", "localhost:8080", "[::1]:8080", ":$(PORT)", "$(POD_IP):8080", "$POD_IP:8080", "unix:///s", "db:1", ":9", ":http", ""))
	for range d.IntN(3) {
		words = append(words, d.one("-v", "-service=a.B", "-rpc-timeout=1500ms", "-connect-timeout=3", "-tls", "-tls-no-verify",
			"-gzip=false", "-alts", "-rpc-header=a:b", "-version", "é\x00\u2028", "-connect-timeout=9s", "$EXTRA", ""))
	}
	switch d.IntN(8) {
	case 0:
		words = append([]string{"timeout", d.one("3", "0.5m", "0", "x")}, words...)
	case 1:
		words = append([]string{"env", d.one("A=B", "-i", "PORT=1")}, words...)
	case 2:
		words = append([]string{d.one("tini", "exec", "busybox")}, words...)
	case 3, 4:
		script := ""
		for _, word := range words {
			script += word + " "
		}
		words = []string{d.one("sh", "bash", "/bin/dash"), d.one("-c", "-ec", "-lc"), d.one("", "exec ", "set -e; ", "! ") + script + d.one("", "", "|| exit 1", "|| true", ">/dev/null", "&>/dev/null")}
	}
	return words
}

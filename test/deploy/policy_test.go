package deploy

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/cases"
)

// policyName is the name of the policy and of its binding.
const policyName = "missed.probeshift.dev"

// warnings are the warnings of one request.
type warnings []string

// HandleWarningHeader takes a warning.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

// asker creates Pods, as dry runs, and tells what the policy says to each.
type asker struct {
	client client.Client
	heard  *warnings
}

// newAsker creates the policy as its component deploys it, without the webhook,
// and waits until it works.
func newAsker(t testing.TB) asker {
	t.Helper()
	heard := &warnings{}
	config := rest.CopyConfig(cluster)
	config.WarningHandler = heard
	a := asker{client: newClient(t, config), heard: heard}
	for name, value := range map[string]string{
		"shop": "enabled", "shop-audit": "audit", "shop-unlabelled": "", "shop-webhooks": "enabled",
	} {
		createNamespace(t, a.client, name, value)
	}
	objects := overlay{namespace: "shop-webhooks", components: []string{"missed-pods"}}.render(t)
	createAll(t, a.client, only(objects, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"))
	// The API server may still go by the binding of an earlier test, which is
	// deleted and excludes another namespace. Asked in this order, a warning can
	// only come from the new one.
	eventually(t, "the policy warns, and by this binding", func() bool {
		own, err := a.ask(t.Context(), "shop-webhooks", legacyPod())
		if err != nil || own {
			return false
		}
		warned, err := a.ask(t.Context(), "shop", legacyPod())
		return err == nil && warned
	})
	return a
}

// ask creates a Pod in a namespace and says whether the policy warned.
func (a asker) ask(ctx context.Context, namespace string, pod *corev1.Pod) (bool, error) {
	pod = pod.DeepCopy()
	pod.Namespace = namespace
	*a.heard = nil
	err := a.client.Create(ctx, pod, client.DryRunAll)
	for _, w := range *a.heard {
		if strings.Contains(w, policyName) {
			return true, err
		}
	}
	return false, err
}

// podOf is a Pod with these containers.
func podOf(containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "cart-"},
		Spec:       corev1.PodSpec{Containers: containers},
	}
}

// execContainer is a container whose readiness probe runs a command.
func execContainer(name string, command ...string) corev1.Container {
	return corev1.Container{
		Name:           name,
		Image:          "registry.example/" + name,
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}}},
	}
}

// legacyPod is a Pod whose probe the webhook would have rewritten.
func legacyPod() *corev1.Pod {
	return podOf(execContainer("server", "/bin/grpc_health_probe", "-addr=:8080"))
}

// with returns a Pod after a change.
func with(pod *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
	change(pod)
	return pod
}

// largestPod has 2,000 containers with three exec probes each, of commands that
// are nearly ours. Only the last one may run the tool.
func largestPod(last ...string) *corev1.Pod {
	probe := func(command ...string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}}}
	}
	pod := podOf()
	for i := range 2000 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name:           fmt.Sprintf("server-%d", i),
			Image:          "server",
			LivenessProbe:  probe("/usr/local/bin/health-check", "--address=localhost:8080", "--verbose"),
			ReadinessProbe: probe("/bin/sh", "-c", "health-check --address=localhost:8080"),
			StartupProbe:   probe("cat", "/var/run/healthy"),
		})
	}
	if len(last) > 0 {
		pod.Spec.Containers[1999].StartupProbe = probe(last...)
	}
	return pod
}

func TestThePolicyWarnsOfMissedPodsAlone(t *testing.T) {
	a := newAsker(t)
	always := corev1.ContainerRestartPolicyAlways
	for sentence, tc := range map[string]struct {
		namespace string
		pod       *corev1.Pod
		warns     bool
	}{
		"a missed Pod": {"shop", legacyPod(), true},
		"a missed Pod that carries other annotations": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Annotations = map[string]string{"shop.example/team": "cart", "probeshift.dev/probes": "audit"}
		}), true},
		"a missed Pod whose label says something else": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Labels = map[string]string{switchLabel: "enabled"}
		}), true},
		"a liveness probe": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			c := &p.Spec.Containers[0]
			c.LivenessProbe, c.ReadinessProbe = c.ReadinessProbe, nil
		}), true},
		"a startup probe": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			c := &p.Spec.Containers[0]
			c.StartupProbe, c.ReadinessProbe = c.ReadinessProbe, nil
		}), true},
		"the second container": {"shop", podOf(execContainer("proxy", "true"), legacyPod().Spec.Containers[0]), true},
		"a native sidecar": {"shop", with(podOf(corev1.Container{Name: "server", Image: "server"}), func(p *corev1.Pod) {
			sidecar := execContainer("sidecar", "grpc-health-probe", "-addr=:1")
			sidecar.RestartPolicy = &always
			p.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "init"}, sidecar}
		}), true},
		"a shell's script": {"shop", podOf(execContainer("server", "sh", "-c", "exec /bin/grpc_health_probe -addr=:1 || exit 1")), true},
		"2,000 containers, the last of which runs the tool": {
			"shop", largestPod("/bin/grpc_health_probe-linux-amd64", "-addr=:1"), true},

		"a Pod that the webhook rewrote": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Annotations = map[string]string{statusAnnotation: `{"probes":{}}`}
			p.Spec.Containers[0].ReadinessProbe.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}
		}), false},
		"a Pod that the webhook left alone": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Annotations = map[string]string{statusAnnotation: `{"probes":{}}`}
		}), false},
		"a Pod that opted out": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Labels = map[string]string{switchLabel: "disabled"}
		}), false},
		"a mirror of a static Pod": {"shop", with(legacyPod(), func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "1"}
			p.Spec.NodeName = "node"
		}), false},
		"a Pod without labels, annotations or probes": {"shop", podOf(corev1.Container{Name: "server", Image: "server"}), false},
		"probes that run no command": {"shop", podOf(corev1.Container{
			Name: "server", Image: "server",
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/grpc_health_probe", Port: intstr.FromInt32(8080)},
			}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}},
			StartupProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}},
		}), false},
		"an exec probe of another program":   {"shop", podOf(execContainer("server", "/bin/health-check", "grpc_health_probe.yaml")), false},
		"2,000 containers that never run it": {"shop", largestPod(), false},
		"a namespace that is only audited":   {"shop-audit", legacyPod(), false},
		"a namespace without the label":      {"shop-unlabelled", legacyPod(), false},
		"the webhook's own namespace":        {"shop-webhooks", legacyPod(), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			warned, err := a.ask(t.Context(), tc.namespace, tc.pod)
			if err != nil {
				t.Fatal(err)
			}
			if warned != tc.warns {
				t.Errorf("warned: %t, want %t; all warnings: %q", warned, tc.warns, *a.heard)
			}
		})
	}
	// An expression that failed or grew too expensive says nothing either.
	for _, s := range scrape(t).of("apiserver_validating_admission_policy_check_total") {
		// The second is what a warning counts as.
		if outcome := s.labels["error_type"]; s.labels["policy"] == policyName && outcome != "no_error" && outcome != "invalid_error" {
			t.Errorf("the policy was not evaluated to its end: %v", s.labels)
		}
	}
}

// The policy is written in CEL and the webhook in Go: on every case that the
// webhook is tested by they have to find the same Pods.
func TestThePolicyAndTheWebhookFindTheSamePods(t *testing.T) {
	a := newAsker(t)
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	told := map[bool]int{}
	for _, c := range all {
		pod := c.Pod.DeepCopy()
		pod.Labels = maps.Clone(pod.Labels)
		delete(pod.Labels, switchLabel)
		_, carries := pod.Annotations[statusAnnotation]
		want := len(mutate.Mutate(pod, mutate.Policy{}).Findings) > 0 && !carries
		warned, err := a.ask(t.Context(), "shop", pod)
		if apierrors.IsInvalid(err) {
			continue // Policies come after validation, and the Pod ends there.
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		told[warned]++
		if warned != want {
			t.Errorf("%s: warned: %t, want %t", c.Name, warned, want)
		}
	}
	if told[true] < 50 || told[false] < 5 {
		t.Errorf("too few cases were compared: warned of %d, silent on %d", told[true], told[false])
	}
}

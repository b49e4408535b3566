package envtest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
)

var update = flag.Bool("update", false, "write testdata/together as it is now")

// company is what else works on a Pod beside us. Each has a file of its name in
// testdata/together, which tells what comes out.
type company struct {
	// sentence is what the file says of it.
	sentence string
	// pod is what is created; none is a Deployment's Pod with one legacy probe.
	pod *corev1.Pod
	// before and after are what webhooks before and after ours do to it. Both
	// are called again when somebody behind them changed the Pod.
	before, after func(*corev1.Pod)
	// policy is a MutatingAdmissionPolicy's; the API server runs those before
	// all webhooks.
	policy *mutation
	// then happens to the Pod when it is stored.
	then func(t *testing.T, w *world, stored *corev1.Pod) *corev1.Pod
	// resizes says that the Pod is resized in place.
	resizes bool
	// unsettled says that others had the last word.
	unsettled bool
}

// Nothing may be refused because we are there, and nothing rewritten twice.
func TestTogetherWithOthers(t *testing.T) {
	w := startWorld(t, nil)
	all := companies(serverMinor(t))
	w.installCompany(t, all)
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := c.pod
			if pod == nil {
				pod = owned(legacyPod("orders"))
			}
			namespace := w.labelled(t, map[string]string{webhookLabel: "enabled", companyLabel: name})
			alone := w.labelled(t, map[string]string{companyLabel: name})
			client, heard := w.recording(t)
			stored, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod.DeepCopy(), metav1.CreateOptions{})
			if err != nil {
				_, without := w.client.CoreV1().Pods(alone).Create(t.Context(), pod.DeepCopy(), metav1.CreateOptions{})
				t.Fatalf("refused with us: %v; without us: %v", err, without)
			}
			if c.then != nil {
				stored = c.then(t, w, stored)
			}
			compareGolden(t, name, c.sentence, newResult(stored, heard.ours()))
			if again := mutate.Mutate(stored, mutate.Policy{}); !c.unsettled && len(again.Operations) > 0 {
				t.Errorf("another call would change the Pod again: %v", again.Operations)
			}
		})
	}
}

// result is what a golden file holds.
type result struct {
	Warnings   []string          `json:"warnings,omitempty"`
	Status     string            `json:"status,omitempty"`
	Containers []resultContainer `json:"containers"`
}

type resultContainer struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind,omitempty"`
	Probes    map[string]probe  `json:"probes,omitempty"`
	Resources map[string]string `json:"requests,omitempty"`
}

func newResult(pod *corev1.Pod, warnings []string) result {
	r := result{Warnings: warnings, Status: pod.Annotations[mutate.StatusAnnotation]}
	for _, c := range pod.Spec.InitContainers {
		kind := "init"
		if c.RestartPolicy != nil {
			kind = "native sidecar"
		}
		r.Containers = append(r.Containers, newResultContainer(c, kind))
	}
	for _, c := range pod.Spec.Containers {
		r.Containers = append(r.Containers, newResultContainer(c, ""))
	}
	for _, c := range pod.Spec.EphemeralContainers {
		r.Containers = append(r.Containers, resultContainer{Name: c.Name, Kind: "ephemeral"})
	}
	return r
}

func newResultContainer(c corev1.Container, kind string) resultContainer {
	r := resultContainer{Name: c.Name, Kind: kind, Probes: map[string]probe{}, Resources: map[string]string{}}
	for name, p := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe, "startup": c.StartupProbe} {
		if p != nil {
			r.Probes[name] = probe{p.ProbeHandler, p.TimeoutSeconds}
		}
	}
	for name, quantity := range c.Resources.Requests {
		r.Resources[string(name)] = quantity.String()
	}
	return r
}

func compareGolden(t *testing.T, name, sentence string, got result) {
	t.Helper()
	text, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	content := "# " + sentence + "\n" + string(text)
	path := filepath.Join("testdata", "together", name+".yaml")
	if *update {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, path)), content); diff != "" {
		t.Errorf("%s (-golden +stored):\n%s", path, diff)
	}
}

// companies are all that we are proved together with, as far as an API server
// of that minor knows it.
func companies(minor int) map[string]company {
	all := map[string]company{
		"a-webhook-before-adds-a-container": {
			sentence: "A webhook before ours adds a container with a legacy probe: both are rewritten.",
			before:   once("agent", addContainer(legacyContainer("agent", 9443))),
		},
		"a-webhook-before-insists-on-exec": {
			sentence: "A webhook before ours replaces every probe by an exec probe, and is called again: rewritten again, into the same.",
			before: func(pod *corev1.Pod) {
				pod.Spec.Containers[0].ReadinessProbe = legacyContainer("", 8080).ReadinessProbe
			},
		},
		"a-webhook-after-adds-a-container": {
			sentence: "A webhook after ours adds a container with a legacy probe: rewritten by the second call.",
			after:    once("agent", addContainer(legacyContainer("agent", 9443))),
		},
		"a-webhook-after-sets-a-timeout": {
			sentence: "A webhook after ours sets the timeout of a rewritten probe: its word stands.",
			after:    func(pod *corev1.Pod) { pod.Spec.Containers[0].ReadinessProbe.TimeoutSeconds = 10 },
		},
		"a-webhook-after-takes-the-status-away": {
			sentence: "A webhook after ours drops annotations that it does not know: the probe stays native.",
			after:    func(pod *corev1.Pod) { delete(pod.Annotations, mutate.StatusAnnotation) },
		},
		"a-webhook-after-writes-the-exec-probe-back": {
			sentence:  "A webhook after ours writes the exec probe back, each time: it has the last word, since nobody is called a third time.",
			unsettled: true,
			after: func(pod *corev1.Pod) {
				pod.Spec.Containers[0].ReadinessProbe = legacyContainer("", 8080).ReadinessProbe
			},
		},
		"istio-before":   {sentence: "Istio injects before us: the Pod is part of a mesh.", before: once("istio-proxy", injectIstio)},
		"istio-after":    {sentence: "Istio injects after us and takes the native probe over: it stays Istio's.", after: once("istio-proxy", injectIstio)},
		"linkerd-before": {sentence: "Linkerd injects before us: the Pod is part of a mesh.", before: once("linkerd-proxy", injectLinkerd)},
		"linkerd-after":  {sentence: "Linkerd injects after us: the probe gets its command back.", after: once("linkerd-proxy", injectLinkerd)},
		"linkerd-after-as-native-sidecar": {
			sentence: "Linkerd injects its proxy as a native sidecar after us: the probe gets its command back.",
			after:    once("linkerd-proxy", injectLinkerdNative),
		},
		"a-vertical-autoscaler": {
			sentence: "A vertical autoscaler sets requests as the Pod is created and updates it in place later: nothing is rewritten twice.",
			after:    func(pod *corev1.Pod) { request(pod, "100m") }, resizes: true,
			then: func(t *testing.T, w *world, stored *corev1.Pod) *corev1.Pod {
				return w.annotate(t, w.resize(t, stored, "200m"), "vpaObservedContainers", "server")
			},
		},
		"an-in-place-resize":     {sentence: "A Pod is resized in place: its probes stay as they are.", pod: requesting("100m"), then: resizeTo("300m"), resizes: true},
		"an-ephemeral-container": {sentence: "kubectl debug adds an ephemeral container: nothing else changes.", then: debug},
		"a-policy-adds-a-container": {
			sentence: "A MutatingAdmissionPolicy adds a container with a legacy probe: both are rewritten.",
			policy:   addByPolicy(),
		},
		"a-webhook-before-merges-exec": {
			sentence: "A webhook before ours writes an exec handler into the probe, whatever else is there, and is called again: a probe with two handlers would be refused, so ours gives way and the command is read anew.",
			before:   func(pod *corev1.Pod) { pod.Spec.Containers[0].ReadinessProbe.Exec = execHandler(8080).Exec },
		},
		"a-webhook-before-merges-another-exec": {
			sentence: "The same with a command that cannot be native: it stays.",
			before: func(pod *corev1.Pod) {
				if probe := pod.Spec.Containers[0].ReadinessProbe; probe.GRPC != nil {
					probe.Exec = &corev1.ExecAction{Command: []string{"cat", "/tmp/healthy"}}
				}
			},
		},
		"a-policy-merges-exec": {
			sentence: "A MutatingAdmissionPolicy that is run again does the same.",
			policy:   execByPolicy(),
		},
		"a-policy-sets-an-annotation": {
			sentence: "A MutatingAdmissionPolicy that is run again sets an annotation: the status stays.",
			policy:   annotateByPolicy(),
		},
	}
	maps.DeleteFunc(all, func(_ string, c company) bool {
		return minor < minorPolicies && c.policy != nil || minor < minorResize && c.resizes
	})
	for kind, pod := range podsOfControllers() {
		all["a-pod-of-a-"+strings.ToLower(kind)] = company{sentence: fmt.Sprintf("A Pod as the controller of a %s makes it.", kind), pod: pod}
	}
	return all
}

// once does something unless a container of this name is there, as injectors do.
func once(container string, change func(*corev1.Pod)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range list {
				if list[i].Name == container {
					return
				}
			}
		}
		change(pod)
	}
}

func addContainer(c corev1.Container) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers = append(pod.Spec.Containers, c) }
}

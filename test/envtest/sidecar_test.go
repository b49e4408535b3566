package envtest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

// lbVariant is one way to run the webhook, and what the cases call it.
type lbVariant struct {
	name  string
	flags lbcases.Flags
	args  []string
	// mode is the value of the namespace's label.
	mode string
}

// lbVariants are the ways that the golden cases need. The release of the API
// server is what it is, so the case of an old one is not among them.
func lbVariants() []lbVariant {
	return []lbVariant{
		{"enabled", lbcases.Flags{}, nil, "enabled"},
		{"audited", lbcases.Flags{Audit: true}, nil, "audit"},
		{"IPv6 alone", lbcases.Flags{IPv6: true}, []string{"--lb-single-stack-ipv6"}, "enabled-ipv6"},
		{"another domain", lbcases.Flags{ClusterDomain: "k8s.example.com"}, []string{"--cluster-domain=k8s.example.com"}, "enabled-domain"},
	}
}

// TestSidecarsBehindAnAPIServer starts one API server for all that is proved of
// the load-balancing sidecar with it.
func TestSidecarsBehindAnAPIServer(t *testing.T) {
	w := &world{cluster: startCluster(t)}
	w.webhook = runWebhook(t, "--cluster-domain=cluster.local")
	w.install(t, patient(configuration(t, w.webhook)))
	w.installLater(t)
	for _, v := range lbVariants() {
		if suffix, other := strings.CutPrefix(v.mode, "enabled-"); other {
			w.install(t, patient(relabel(configuration(t, runWebhook(t, v.args...)), suffix)))
		}
	}
	for _, v := range lbVariants() {
		w.become(t, v)
		t.Run(v.name, func(t *testing.T) {
			for _, c := range lbGolden(t, v.flags) {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					lbThroughTheAPIServer(scene{t, w}, c)
				})
			}
		})
	}
	w.become(t, lbVariants()[0])
	for sentence, prove := range map[string]func(scene){
		"a container that a later webhook adds on the same port is told":         aLaterContainerOnTheSamePortIsTold,
		"a mesh that a later webhook adds is told":                               aLaterMeshIsTold,
		"the application's probe and the sidecar are in one patch":               theProbeAndTheSidecarAreInOnePatch,
		"a live Pod can be copied":                                               aLivePodCanBeCopied,
		"a refusal is told in one line and in the audit log":                     aRefusalIsToldInOneLineAndInTheAuditLog,
		"every random Pod that is not refused passes a restricted namespace":     everyRandomPodThatIsNotRefusedPassesARestrictedNamespace,
		"a Pod that opts out is not sent, whatever it asks for from the sidecar": aPodThatOptsOutIsNotInjected,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			prove(scene{t, w})
		})
	}
}

// lbGolden are the golden cases of one variant, of the namespace that become
// labels.
func lbGolden(t *testing.T, flags lbcases.Flags) []lbcases.Case {
	t.Helper()
	all, err := lbcases.Load()
	if err != nil {
		t.Fatal(err)
	}
	knowsPodResources := serverMinor(t) >= minorPodResources
	var some []lbcases.Case
	for _, c := range all {
		if c.Flags == flags && c.Pod.Namespace == lbcases.Namespace && (knowsPodResources || c.Pod.Spec.Resources == nil) {
			some = append(some, c)
		}
	}
	if len(some) == 0 {
		t.Fatalf("no case has the flags %+v", flags)
	}
	return some
}

// become gives the cases' namespace the label of a variant and waits until the
// API server calls that webhook. The namespace's name matters: names are read
// within it.
func (w *world) become(t *testing.T, v lbVariant) {
	t.Helper()
	w.label(t, lbcases.Namespace, v.mode)
	canary := lbClient("canary", map[string]string{"upstreams": "greeter:9000, hello:9000", "intercept": "none"})
	policy, err := v.flags.Policy()
	if err != nil {
		t.Fatal(err)
	}
	want := sidecar.Inject(canary, lbcases.Namespace, policy)
	eventually(t, "the webhook is called for "+v.mode, func() (bool, error) {
		client, heard := w.recording(t)
		pod, err := client.CoreV1().Pods(lbcases.Namespace).Create(t.Context(), canary, dryRun())
		if err != nil {
			return false, err
		}
		told := len(heard.ours()) > 0 && strings.Contains(heard.ours()[0], "would be injected")
		return pod.Annotations[sidecar.StatusAnnotation] == want.StatusText && told == v.flags.Audit, nil
	})
}

// lbClient is a Pod with annotations of the sidecar.
func lbClient(name string, annotations map[string]string) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/client:1.0.0"}}},
	}
	for key, value := range annotations {
		pod.Annotations[sidecar.Prefix+key] = value
	}
	return pod
}

// lbThroughTheAPIServer creates the Pod of a case and compares what is stored,
// warned of and refused with what the pure function says about the Pod that the
// API server sent.
func lbThroughTheAPIServer(s scene, c lbcases.Case) {
	t, w := s.t, s.world
	pod := c.Pod.DeepCopy()
	pod.Name, pod.Namespace = c.Name, ""
	sent := w.defaulted(t, pod)
	policy, err := c.Flags.Policy()
	if err != nil {
		t.Fatal(err)
	}
	pure := sidecar.Inject(sent, lbcases.Namespace, policy)
	var golden lbcases.Report
	if err := yaml.UnmarshalStrict([]byte(c.Outcome), &golden); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, lbcases.NewReport(pure)); diff != "" {
		t.Errorf("the pure function on the Pod as it is sent (-outcome.yaml +got):\n%s", diff)
	}
	client, heard := w.recording(t)
	stored, err := client.CoreV1().Pods(lbcases.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if pure.Outcome == sidecar.Refused {
		checkRefused(t, err, pure)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := sent
	if probes := mutate.Mutate(sent, mutate.Policy{}); len(pure.Operations)+len(probes.Operations) > 0 && !c.Flags.Audit {
		operations := slices.Concat(probes.Operations, pure.Operations)
		want = w.defaulted(t, withoutOwnFields(patched(t, encode(t, sent), encode(t, operations))))
	}
	if diff := cmp.Diff(lbEssence(want), lbEssence(stored)); diff != "" {
		t.Errorf("the stored Pod (-patch applied +stored):\n%s", diff)
	}
	for _, code := range append(pure.Warnings, lbWarnings(pure)...) {
		if !strings.Contains(strings.Join(heard.ours(), "\n"), string(code.Code)) {
			t.Errorf("no warning tells of %s: %q", code.Code, heard.ours())
		}
	}
}

// checkRefused checks what the client of a refused Pod gets to see.
func checkRefused(t *testing.T, err error, pure sidecar.Result) {
	t.Helper()
	want := `admission webhook "rewrite.probeshift.dev" denied the request: ` + pure.Message()
	if !apierrors.IsInvalid(err) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// lbWarnings are the problems of an audited Pod, which are warnings there.
func lbWarnings(r sidecar.Result) []sidecar.Warning {
	var list []sidecar.Warning
	for _, p := range r.Problems {
		list = append(list, sidecar.Warning{Code: p.Code})
	}
	return list
}

// withoutOwnFields is a Pod that can be created once more.
func withoutOwnFields(pod *corev1.Pod) *corev1.Pod {
	pod.Namespace, pod.UID, pod.ResourceVersion, pod.CreationTimestamp, pod.ManagedFields = "", "", "", metav1.Time{}, nil
	return pod
}

// lbEssence leaves the status of the probes out: it is proved elsewhere.
func lbEssence(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	delete(pod.Annotations, mutate.StatusAnnotation)
	return essence(pod)
}

func everyRandomPodThatIsNotRefusedPassesARestrictedNamespace(s scene) {
	t, w := s.t, s.world
	const pods = 150
	injected := 0
	namespace := w.labelled(t, map[string]string{webhookLabel: "enabled", "pod-security.kubernetes.io/enforce": "restricted"})
	for seed := range uint64(pods) {
		pod := lbcases.Random(rand.New(rand.NewPCG(seed, 3)))
		pod.Namespace = ""
		sent, err := w.client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, dryRun())
		if err != nil {
			t.Fatalf("seed %d: the Pod itself is not valid: %v", seed, err)
		}
		pure := sidecar.Inject(sent, namespace, sidecar.DefaultPolicy())
		stored, err := w.client.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun())
		switch {
		case pure.Outcome == sidecar.Refused:
			checkRefused(t, err, pure)
		case err != nil:
			t.Errorf("seed %d: %v", seed, err)
		case len(stored.Spec.InitContainers) == 0 || stored.Spec.InitContainers[0].Name != sidecar.ContainerName:
			t.Errorf("seed %d: the sidecar is not the first init container", seed)
		default:
			injected++
		}
	}
	if injected < pods/5 {
		t.Errorf("only %d of %d Pods were injected: they are too much alike to prove anything", injected, pods)
	}
}

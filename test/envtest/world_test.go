package envtest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/test/cases"
)

// world is a cluster with the webhook at work in it.
type world struct {
	*cluster
	// webhook runs with its default flags.
	webhook endpoint
	// suffixes are those of the namespace label's values, by the flags that the
	// webhook behind them runs with.
	suffixes map[string]string
}

// startWorld starts the API server and one webhook for each set of flags that
// the cases need. Only the one with the default flags has the real
// configuration; those of the others differ in the label's values.
func startWorld(t *testing.T, all []cases.Case) *world {
	t.Helper()
	w := &world{cluster: startCluster(t), suffixes: map[string]string{"": ""}}
	w.webhook = runWebhook(t)
	w.install(t, patient(configuration(t, w.webhook)))
	w.waitCalled(t, w.fresh(t, "enabled"))
	w.installLater(t)
	for _, c := range all {
		flags := flagsOf(c.Flags)
		key := strings.Join(flags, " ")
		if _, there := w.suffixes[key]; there {
			continue
		}
		suffix := strconv.Itoa(len(w.suffixes))
		w.suffixes[key] = suffix
		w.startVariant(t, suffix, flags)
	}
	return w
}

// startVariant starts a webhook with other flags.
func (w *world) startVariant(t *testing.T, suffix string, flags []string) {
	t.Helper()
	arguments := flags
	always := slices.Contains(flags, "--grpc-probe-tls=always")
	if always {
		arguments = append(slices.Clone(flags), "--kubeconfig="+w.kubeconfig, "--namespace="+ownNamespace)
	}
	w.install(t, patient(relabel(configuration(t, runWebhook(t, arguments...)), suffix)))
	namespace := w.fresh(t, "enabled-"+suffix)
	w.waitCalled(t, namespace)
	if always {
		w.waitTLSProbes(t, namespace)
	}
}

// waitTLSProbes waits until the webhook has seen that the API server keeps the
// mode of native probes.
func (w *world) waitTLSProbes(t *testing.T, namespace string) {
	t.Helper()
	pod := legacyPod("canary")
	pod.Annotations = map[string]string{"probeshift.dev/mesh": "ignore", "probeshift.dev/ip-family": "ignore"}
	command := &pod.Spec.Containers[0].ReadinessProbe.Exec.Command
	*command = append(*command, "-tls", "-tls-no-verify")
	eventually(t, "TLS probes are rewritten", func() (bool, error) {
		stored, err := w.client.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun())
		return err == nil && stored.Spec.Containers[0].ReadinessProbe.GRPC != nil, err
	})
}

// fresh makes a namespace with a name of its own; mode is the label's value,
// none if empty.
func (c *cluster) fresh(t *testing.T, mode string) string {
	t.Helper()
	if mode == "" {
		return c.labelled(t, nil)
	}
	return c.labelled(t, map[string]string{webhookLabel: mode})
}

// labelled makes a namespace with a name of its own.
func (c *cluster) labelled(t *testing.T, labels map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels}}
	made, err := c.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

// namespaceOf makes a namespace for a case.
func (w *world) namespaceOf(t *testing.T, c cases.Case) string {
	t.Helper()
	mode := "enabled"
	if c.Flags.Audit {
		mode = "audit"
	}
	if suffix := w.suffixes[strings.Join(flagsOf(c.Flags), " ")]; suffix != "" {
		mode += "-" + suffix
	}
	return w.fresh(t, mode)
}

// flagsOf is the command line of a case's flags; defaults are left out.
func flagsOf(f cases.Flags) []string {
	var flags []string
	add := func(name, value string) {
		if value != "" {
			flags = append(flags, "--"+name+"="+value)
		}
	}
	add("ports", f.Ports)
	add("mesh", f.Mesh)
	add("ip-family", f.IPFamily)
	if f.PodIPFamily != 0 {
		add("pod-ip-family", strconv.Itoa(f.PodIPFamily))
	}
	add("grpc-probe-tls", f.GRPCProbeTLS)
	add("bare-pods", f.BarePods)
	for _, name := range f.ToolNames {
		add("tool-name", name)
	}
	for _, name := range f.MeshProxyNames {
		add("mesh-proxy-name", name)
	}
	return flags
}

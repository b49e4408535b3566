package envtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
	"github.com/probeshift/probeshift/test/envtest/installed"
)

const (
	// ownNamespace is the one that the webhook runs in.
	ownNamespace = "probeshift"
	// webhookLabel is the label that switches the webhook on for a namespace,
	// and off for a Pod.
	webhookLabel = "probeshift.dev/webhook"
)

// cluster is a running API server.
type cluster struct {
	config     *rest.Config
	client     kubernetes.Interface
	kubeconfig string
	// auditLog is the file of the API server's audit log.
	auditLog string
}

// startCluster starts an API server with an audit log and, where it knows them,
// native TLS probes.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{auditLog: filepath.Join(dir, "audit.log"), kubeconfig: filepath.Join(dir, "kubeconfig")}
	flags := map[string][]string{
		"audit-policy-file": {absolute(t, "testdata/audit-policy.yaml")},
		"audit-log-path":    {c.auditLog},
	}
	if serverMinor(t) >= minorTLSProbes {
		flags["feature-gates"] = []string{"GRPCContainerProbeTLS=true"}
	}
	var server *apiserver.Server
	server, c.config, c.client = installed.APIServer(t, apiserver.Options{Flags: flags})
	if err := server.WriteKubeconfig(c.kubeconfig); err != nil {
		t.Fatal(err)
	}
	// Labelled in spite of being excluded, as is proved elsewhere.
	c.label(t, ownNamespace, "enabled")
	return c
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// label makes sure that a namespace of this name is there and has the label's
// value.
func (c *cluster) label(t *testing.T, name, mode string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{webhookLabel: mode}}}
	_, err := c.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = c.client.CoreV1().Namespaces().Update(t.Context(), namespace, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// warnings collects what the API server warns of. It may be used by several
// goroutines at once.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

var _ rest.WarningHandlerWithContext = (*warnings)(nil)

// HandleWarningHeaderWithContext keeps a warning.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// ours are the warnings that came from the webhook; the API server has some of
// its own.
func (w *warnings) ours() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ours []string
	for _, text := range w.texts {
		if strings.HasPrefix(text, "probeshift:") {
			ours = append(ours, text)
		}
	}
	return ours
}

// recording returns a client whose warnings are kept.
func (c *cluster) recording(t *testing.T) (kubernetes.Interface, *warnings) {
	t.Helper()
	heard := &warnings{}
	config := rest.CopyConfig(c.config)
	config.WarningHandlerWithContext = heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, heard
}

// create creates a Pod and returns it as it is stored, and the webhook's
// warnings.
func (c *cluster) create(t *testing.T, namespace string, pod *corev1.Pod, options metav1.CreateOptions) (*corev1.Pod, []string) {
	t.Helper()
	client, heard := c.recording(t)
	stored, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, options)
	if err != nil {
		t.Fatal(err)
	}
	return stored, heard.ours()
}

// defaulted returns a Pod as the API server sends it to webhooks: with its
// defaults and what its own plugins add. Its namespace has no webhook.
func (c *cluster) defaulted(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	sent, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, dryRun())
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func dryRun() metav1.CreateOptions {
	return metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
}

// readFile is the content of a file.
func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

//go:build linux

package cli

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"

	"github.com/probeshift/probeshift/deploy"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// eventually waits until something is so.
func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return isSo(), nil })
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// freeAddress is an address of loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// startWebhook runs the webhook until the test ends and returns its
// configuration, not yet created.
func startWebhook(t *testing.T) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	dir := t.TempDir()
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address, health := freeAddress(t), freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	program := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "--certs=files", "--cert-dir="+dir, "--bind-address=127.0.0.1",
		"--port="+port, "--health-probe-bind-address="+health, "--metrics-bind-address=0", "--drain-duration=0s")
	program.Env = append(os.Environ(), asProgram+"=webhook")
	program.Stdout, program.Stderr = &output, &output
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Signal(syscall.SIGTERM)
		if err := program.Wait(); err != nil {
			t.Errorf("the webhook did not end well: %v\n%s", err, output.String())
		}
	})
	eventually(t, "the webhook is ready", func() bool {
		response, err := http.Get("http://" + health + "/readyz") //nolint:gosec // our own address
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	configuration, err := deploy.ConfigurationAt("https://"+address, certificate)
	if err != nil {
		t.Fatal(err)
	}
	patience := int32(30) // a busy machine proves the same
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].TimeoutSeconds = &patience
	}
	return configuration
}

func dryRun() metav1.CreateOptions {
	return metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
}

// install creates a configuration, which goes when the test ends.
func (c *cluster) install(t *testing.T, configuration *admissionv1.MutatingWebhookConfiguration) {
	t.Helper()
	configurations := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	if _, err := configurations.Create(t.Context(), configuration, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := configurations.Delete(context.WithoutCancel(t.Context()), configuration.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// waitCalled waits until the API server calls the webhook for a namespace.
func (c *cluster) waitCalled(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the webhook is called for "+namespace, func() bool {
		pod, err := c.client.CoreV1().Pods(namespace).Create(t.Context(), legacy("canary", "x"), dryRun())
		return err == nil && pod.Annotations[mutate.StatusAnnotation] != ""
	})
}

// delete removes a namespace's label and Pods, since no controller here empties
// a namespace.
func (c *cluster) empty(t *testing.T, namespace string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	now := int64(0)
	err := c.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	if err != nil {
		t.Error(err)
	}
	there, err := c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	there.Labels = nil
	if _, err := c.client.CoreV1().Namespaces().Update(ctx, there, metav1.UpdateOptions{}); err != nil {
		t.Error(err)
	}
}

// served makes a namespace that the webhook serves while the test runs.
func (c *cluster) served(t *testing.T, name, mode string) {
	t.Helper()
	c.namespace(t, name, map[string]string{"probeshift.dev/webhook": mode})
	t.Cleanup(func() { c.empty(t, name) })
}

func auditAfterTheWebhook(t *testing.T, c *cluster) {
	c.served(t, "done", "enabled")
	c.install(t, startWebhook(t))
	c.waitCalled(t, "done")
	c.create(t, "done", legacy("payments", "a"))
	o := c.expect(t, 0, "audit", "-n", "done")
	contains(t, o.stdout, "native", "2  native already", "not needed once")
}

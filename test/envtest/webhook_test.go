package envtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"

	"github.com/probeshift/probeshift/cmd/webhook/server"
	"github.com/probeshift/probeshift/deploy"
	"github.com/probeshift/probeshift/pkg/mutate"
)

const (
	// patience is how long something may take that happens by itself.
	patience = time.Minute
	interval = 50 * time.Millisecond
	// shownLog is how much of a webhook's log a failure shows, in bytes.
	shownLog = 2 << 10
)

// asWebhook is the environment variable that makes the test binary be the
// webhook: the command of cmd/webhook, in a process of its own.
const asWebhook = "PROBESHIFT_TEST_AS_WEBHOOK"

func TestMain(m *testing.M) {
	if os.Getenv(asWebhook) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := server.NewCommand(os.Getenv).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

// endpoint is where something serves HTTPS, and what it is trusted by.
type endpoint struct {
	url      string
	caBundle []byte
}

// certificate writes a serving certificate for 127.0.0.1 into a directory of
// its own.
func certificate(t *testing.T) (dir string, caBundle []byte) {
	t.Helper()
	dir = t.TempDir()
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, certificate
}

// freeAddress returns an address of loopback that nobody listens at.
func freeAddress(t *testing.T) (address, port string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err = net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return address, port
}

// runWebhook runs the webhook with these flags until the test ends, which must
// be with status 0.
func runWebhook(t *testing.T, flags ...string) endpoint {
	t.Helper()
	dir, caBundle := certificate(t)
	address, port := freeAddress(t)
	health, _ := freeAddress(t)
	flags = append(flags, "--certs=files", "--cert-dir="+dir, "--bind-address=127.0.0.1", "--port="+port,
		"--health-probe-bind-address="+health, "--metrics-bind-address=0", "--drain-duration=0s")
	var output bytes.Buffer
	process := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], flags...)
	process.Env = append(os.Environ(), asWebhook+"=1")
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(process.Process.Signal(syscall.SIGTERM), process.Wait())
		if err != nil {
			t.Errorf("the webhook did not end well: %v", err)
		}
		if t.Failed() {
			log := output.Bytes()
			t.Logf("webhook %s\n...%s", strings.Join(flags, " "), log[max(0, len(log)-shownLog):])
		}
	})
	eventually(t, "the webhook is ready", func() (bool, error) {
		return answersOK(t.Context(), "http://"+health+"/readyz"), nil
	})
	return endpoint{url: "https://" + address, caBundle: caBundle}
}

func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, isSo wait.ConditionFunc) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), interval, patience, true, isSo.WithContext()); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// configuration is the real one, with the webhook's endpoint in it.
func configuration(t *testing.T, at endpoint) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	c, err := deploy.ConfigurationAt(at.url, at.caBundle)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// relabel makes a configuration of another name that is for namespaces with
// another value of the label.
func relabel(c *admissionv1.MutatingWebhookConfiguration, suffix string) *admissionv1.MutatingWebhookConfiguration {
	c.Name += "-" + suffix
	for i := range c.Webhooks {
		c.Webhooks[i].NamespaceSelector.MatchLabels[webhookLabel] += "-" + suffix
	}
	return c
}

// patient gives the webhook more than the real two seconds, so that a busy
// machine proves the same. Where a timeout is the point, the real one stays.
func patient(c *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
	seconds := int32(30)
	for i := range c.Webhooks {
		c.Webhooks[i].TimeoutSeconds = &seconds
	}
	return c
}

// install creates a configuration.
func (c *cluster) install(t *testing.T, configuration *admissionv1.MutatingWebhookConfiguration) {
	t.Helper()
	_, err := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), configuration, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// waitCalled waits until the API server calls the webhook for Pods of a
// namespace that is labelled "enabled" or the like.
func (c *cluster) waitCalled(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the API server calls the webhook for "+namespace, func() (bool, error) {
		pod, err := c.client.CoreV1().Pods(namespace).Create(t.Context(), legacyPod("canary"), dryRun())
		if err != nil {
			return false, fmt.Errorf("a dry run in %s: %w", namespace, err)
		}
		return pod.Annotations[mutate.StatusAnnotation] != "", nil
	})
}

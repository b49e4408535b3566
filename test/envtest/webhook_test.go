package envtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"

	"github.com/probeshift/probeshift/deploy"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/envtest/installed"
)

const (
	// patience is how long something may take that happens by itself.
	patience = time.Minute
	interval = 50 * time.Millisecond
)

func TestMain(m *testing.M) { installed.Main(m) }

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

// runWebhook runs the webhook with these flags until the test ends, which must
// be with status 0.
func runWebhook(t *testing.T, flags ...string) endpoint {
	t.Helper()
	dir, caBundle := certificate(t)
	address, health := installed.FreeAddress(t), installed.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	process := installed.Start(t, append(flags, "--certs=files", "--cert-dir="+dir, "--bind-address=127.0.0.1", "--port="+port,
		"--health-probe-bind-address="+health, "--metrics-bind-address=0", "--drain-duration=0s"), nil)
	t.Cleanup(func() { process.Stop(t) })
	eventually(t, "the webhook is ready", func() (bool, error) {
		ok, _ := installed.Get(t.Context(), "http://"+health+"/readyz")
		return ok, nil
	})
	return endpoint{url: "https://" + address, caBundle: caBundle}
}

// serveTLS serves HTTPS at an address of its own until the test ends.
func serveTLS(t *testing.T, handler http.Handler) endpoint {
	t.Helper()
	dir, caBundle := certificate(t)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	return endpoint{url: server.URL, caBundle: caBundle}
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

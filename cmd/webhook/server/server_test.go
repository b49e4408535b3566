package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/probeshift/probeshift/pkg/admission"
)

const review = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u1",` +
	`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},` +
	`"operation":"CREATE","object":{"metadata":{"name":"a"},"spec":{"containers":[{"name":"app","ports":[{"containerPort":9000}],` +
	`"readinessProbe":{"exec":{"command":["grpc_health_probe","-addr=:9000"]}}}]}}}}`

// authority signs the certificates of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	certificate, err := x509.ParseCertificate(sign(t, template, template, key, key))
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

// issue returns a certificate for 127.0.0.1 that serves both sides, in PEM.
func (a authority) issue(t *testing.T) (certificate, key []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leaf := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", sign(t, template, a.certificate, leaf, a.key)), encode("PRIVATE KEY", der)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// write puts a file into a directory and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificateDir returns a directory with a serving certificate.
func (a authority) certificateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	certificate, key := a.issue(t)
	write(t, dir, "tls.crt", certificate)
	write(t, dir, "tls.key", key)
	return dir
}

// replica is a running webhook.
type replica struct {
	url, address, health string
	registry             *prometheus.Registry
	// stop tells the process to end, as SIGTERM does; ended is closed when it has.
	stop  context.CancelFunc
	ended chan struct{}
}

// start runs a webhook that has neither an API server nor a kubeconfig.
func start(t *testing.T, args ...string) *replica {
	t.Helper()
	address, health := freeAddress(t), freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	defaults := []string{"--bind-address=127.0.0.1", "--port=" + port, "--health-probe-bind-address=" + health,
		"--metrics-bind-address=0", "--drain-duration=0s"}
	r := &replica{
		url: "https://" + address, address: address, health: "http://" + health,
		registry: prometheus.NewRegistry(), ended: make(chan struct{}),
	}
	config, err := LoadConfig(options(t, nil, append(defaults, args...)...), r.registry)
	if err != nil {
		t.Fatal(err)
	}
	server, err := Setup(config)
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(t.Context())
	go func() {
		defer close(r.ended)
		if err := server.Start(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		r.stop()
		<-r.ended
	})
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// ready returns the text of /readyz and whether it says ready.
func (r *replica) ready() (text string, ok bool) {
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(r.health + "/readyz")
	if err != nil {
		return err.Error(), false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err == nil && response.StatusCode == http.StatusOK
}

// eventually waits for a condition, for as long as the test may run.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for !condition() {
		select {
		case <-t.Context().Done():
			t.Fatalf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r *replica) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "ready", func() bool { _, ok := r.ready(); return ok })
}

// client trusts the authority and dials as told.
func (a authority) client(t *testing.T, edit func(*http.Transport)) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	if edit != nil {
		edit(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// post sends the review and returns the answer's text and protocol.
func post(client *http.Client, url string) (text, protocol string, err error) {
	response, err := client.Post(url+admission.MutatePath, "application/json", strings.NewReader(review))
	if err != nil {
		return "", "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP status %d: %s", response.StatusCode, body)
	}
	return string(body), response.Proto, err
}

func TestServesWithoutAnAPIServer(t *testing.T) {
	authority := newAuthority(t)
	r := start(t, "--certs=files", "--cert-dir="+authority.certificateDir(t))
	r.awaitReady(t)
	text, protocol, err := post(authority.client(t, nil), r.url)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, `"uid":"u1","allowed":true,"patchType":"JSONPatch"`) {
		t.Errorf("answer: %s", text)
	}
	if protocol != "HTTP/1.1" {
		t.Errorf("protocol %s, though the client offers HTTP/2", protocol)
	}
}

func TestBothPathsAreServed(t *testing.T) {
	authority := newAuthority(t)
	r := start(t, "--certs=files", "--cert-dir="+authority.certificateDir(t))
	r.awaitReady(t)
	response, err := authority.client(t, nil).Post(r.url+admission.AuditPath, "application/json", strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || strings.Contains(string(body), "patch") || !strings.Contains(string(body), "would-rewrite") {
		t.Errorf("answer %s, error %v", body, err)
	}
}

func TestTLSVersions(t *testing.T) {
	authority := newAuthority(t)
	dir := authority.certificateDir(t)
	old := func(transport *http.Transport) { transport.TLSClientConfig.MaxVersion = tls.VersionTLS12 }

	t.Run("1.2 is refused by default", func(t *testing.T) {
		r := start(t, "--certs=files", "--cert-dir="+dir)
		r.awaitReady(t)
		if _, _, err := post(authority.client(t, old), r.url); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("1.2 is accepted by flag", func(t *testing.T) {
		r := start(t, "--certs=files", "--cert-dir="+dir, "--tls-min-version=1.2")
		r.awaitReady(t)
		if _, _, err := post(authority.client(t, old), r.url); err != nil {
			t.Error(err)
		}
	})
}

func TestClientCAFile(t *testing.T) {
	authority, stranger := newAuthority(t), newAuthority(t)
	dir := authority.certificateDir(t)
	cas := write(t, t.TempDir(), "ca.crt", encode("CERTIFICATE", authority.certificate.Raw))
	r := start(t, "--certs=files", "--cert-dir="+dir, "--client-ca-file="+cas, "--tls-min-version=1.2")
	r.awaitReady(t)
	showing := func(a *struct{ certificate, key []byte }) func(*http.Transport) {
		return func(transport *http.Transport) {
			pair, err := tls.X509KeyPair(a.certificate, a.key)
			if err != nil {
				t.Fatal(err)
			}
			transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
	}
	var own, foreign struct{ certificate, key []byte }
	own.certificate, own.key = authority.issue(t)
	foreign.certificate, foreign.key = stranger.issue(t)

	t.Run("a certificate of the CA is served", func(t *testing.T) {
		if _, _, err := post(authority.client(t, showing(&own)), r.url); err != nil {
			t.Error(err)
		}
	})
	t.Run("none is refused in words", func(t *testing.T) {
		_, _, err := post(authority.client(t, nil), r.url)
		if err == nil || !strings.Contains(err.Error(), "HTTP status 403: a client certificate is needed: see --client-ca-file") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("one of another CA is refused in the handshake", func(t *testing.T) {
		_, _, err := post(authority.client(t, showing(&foreign)), r.url)
		if err == nil || strings.Contains(err.Error(), "HTTP status") {
			t.Errorf("error %v", err)
		}
	})
}

func TestReadyNamesWhatIsMissingAndComesBackWithoutRestart(t *testing.T) {
	authority := newAuthority(t)
	dir := t.TempDir()
	r := start(t, "--certs=files", "--cert-dir="+dir)
	eventually(t, "the missing file is named", func() bool {
		text, ok := r.ready()
		return !ok && strings.Contains(text, "certificate: ") && strings.Contains(text, filepath.Join(dir, "tls.crt"))
	})
	certificate, key := authority.issue(t)
	write(t, dir, "tls.key", key)
	write(t, dir, "tls.crt", certificate)
	r.awaitReady(t)
}

func TestHealthIsUpWhileTheProcessIs(t *testing.T) {
	r := start(t, "--certs=files", "--cert-dir="+t.TempDir())
	eventually(t, "healthy", func() bool {
		response, err := http.Get(r.health + "/healthz")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
	http.DefaultClient.CloseIdleConnections()
}

// TestDrainLosesNoRequest ends one of two replicas under load. The client does
// what a Service does: new connections go to a replica that is ready.
func TestDrainLosesNoRequest(t *testing.T) {
	authority := newAuthority(t)
	dir := authority.certificateDir(t)
	first := start(t, "--certs=files", "--cert-dir="+dir, "--drain-duration=1s")
	second := start(t, "--certs=files", "--cert-dir="+dir)
	first.awaitReady(t)
	second.awaitReady(t)

	var endpoint atomic.Pointer[string]
	endpoint.Store(&first.address)
	client := authority.client(t, func(transport *http.Transport) {
		transport.MaxIdleConnsPerHost = 8
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, *endpoint.Load())
		}
	})
	load := startLoad(client, "https://127.0.0.1", 8)
	eventually(t, "the first replica is under load", func() bool { return load.answered.Load() > 200 })

	first.stop()
	eventually(t, "the first replica leaves the Service", func() bool { _, ok := first.ready(); return !ok })
	endpoint.Store(&second.address)
	<-first.ended
	after := load.answered.Load()
	eventually(t, "the second replica has the load", func() bool { return load.answered.Load() > after+200 })

	for _, err := range load.end() {
		t.Errorf("lost: %v", err)
	}
	if got := reviews(t, first); got < 200 {
		t.Errorf("the first replica answered %v reviews", got)
	}
}

// load sends reviews without a pause.
type load struct {
	answered atomic.Int64
	done     atomic.Bool
	workers  sync.WaitGroup
	mu       sync.Mutex
	lost     []error
}

func startLoad(client *http.Client, url string, workers int) *load {
	l := &load{}
	for range workers {
		l.workers.Go(func() {
			for !l.done.Load() {
				text, _, err := post(client, url)
				if err == nil && !strings.Contains(text, `"patch":`) {
					err = fmt.Errorf("no patch in %s", text)
				}
				if err != nil {
					l.mu.Lock()
					l.lost = append(l.lost, err)
					l.mu.Unlock()
					return
				}
				l.answered.Add(1)
			}
		})
	}
	return l
}

// end stops the load and returns what was lost.
func (l *load) end() []error {
	l.done.Store(true)
	l.workers.Wait()
	return l.lost
}

// reviews returns how many reviews a replica has patched.
func reviews(t *testing.T, r *replica) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != "probeshift_admission_requests_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			total += metric.GetCounter().GetValue()
		}
	}
	return total
}

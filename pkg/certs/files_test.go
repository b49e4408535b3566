package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// pair is the content of tls.crt and tls.key.
type pair struct{ crt, key []byte }

func (p pair) write(t *testing.T, dir string) {
	t.Helper()
	writeFile(t, dir, "tls.crt", p.crt)
	writeFile(t, dir, "tls.key", p.key)
}

func writeFile(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// makePair makes a self-signed certificate for name that expires at expiry.
func makePair(t *testing.T, name string, expiry time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    expiry.Add(-48 * time.Hour),
		NotAfter:     expiry,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		crt: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// recorder keeps the Events that a source raises.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) Warn(reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, reason+": "+message)
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.events...)
}

// filesFixture is a Files source over a directory of the test.
type filesFixture struct {
	*Files
	dir    string
	events *recorder
}

func newFilesFixture(t *testing.T, dir string, now func() time.Time) filesFixture {
	t.Helper()
	events := &recorder{}
	f := NewFiles(dir, now, Report{
		Log:     testr.New(t),
		Metrics: NewMetrics(prometheus.NewRegistry()),
		Events:  events,
	})
	f.check = 10 * time.Millisecond
	return filesFixture{Files: f, dir: dir, events: events}
}

// start runs the source until the test ends.
func start(t *testing.T, source Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// eventually waits until the condition holds; a condition that never does
// fails the test after a time that no healthy machine needs.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// value reads a metric.
func value(t *testing.T, metric prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := metric.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetGauge().GetValue() + out.GetCounter().GetValue()
}

// served returns the common name of the certificate that is served.
func served(t *testing.T, source Source) string {
	t.Helper()
	certificate, err := source.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatalf("GetCertificate: %v", err)
	}
	return certificate.Leaf.Subject.CommonName
}

func TestFilesThatAreThereAreServedBeforeStart(t *testing.T) {
	dir := t.TempDir()
	expiry := time.Now().Add(time.Hour).Truncate(time.Second)
	makePair(t, "first", expiry).write(t, dir)

	f := newFilesFixture(t, dir, time.Now)
	if err := f.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if got := served(t, f); got != "first" {
		t.Errorf("serves %q, want first", got)
	}
	if got := value(t, f.report.Metrics.expiry); got != float64(expiry.Unix()) {
		t.Errorf("expiry metric is %v, want %v", got, expiry.Unix())
	}
}

func TestFilesNotReady(t *testing.T) {
	good := makePair(t, "good", time.Now().Add(time.Hour))
	other := makePair(t, "other", time.Now().Add(time.Hour))
	secretRemedy := ": mount a Secret of type kubernetes.io/tls with tls.crt and tls.key there, or use --certs=self"

	for sentence, test := range map[string]struct {
		lay  func(t *testing.T, dir string)
		want string // DIR stands for the directory
	}{
		"an empty directory names the certificate file": {
			lay:  func(*testing.T, string) {},
			want: "no certificate file DIR/tls.crt" + secretRemedy,
		},
		"a directory that does not exist names the certificate file": {
			lay: func(t *testing.T, dir string) {
				if err := os.Remove(dir); err != nil {
					t.Fatal(err)
				}
			},
			want: "no certificate file DIR/tls.crt" + secretRemedy,
		},
		"a certificate without its key names the key file": {
			lay:  func(t *testing.T, dir string) { writeFile(t, dir, "tls.crt", good.crt) },
			want: "no certificate file DIR/tls.key" + secretRemedy,
		},
		"a half-written certificate names the certificate file": {
			lay:  func(t *testing.T, dir string) { pair{good.crt[:100], good.key}.write(t, dir) },
			want: "no whole PEM block in DIR/tls.crt" + secretRemedy,
		},
		"a half-written key names the key file": {
			lay:  func(t *testing.T, dir string) { pair{good.crt, good.key[:100]}.write(t, dir) },
			want: "no whole PEM block in DIR/tls.key" + secretRemedy,
		},
		"an empty key file names the key file": {
			lay:  func(t *testing.T, dir string) { pair{good.crt, nil}.write(t, dir) },
			want: "no whole PEM block in DIR/tls.key" + secretRemedy,
		},
		"a key of another certificate names both files": {
			lay: func(t *testing.T, dir string) { pair{good.crt, other.key}.write(t, dir) },
			want: "key in DIR/tls.key does not fit the certificate in DIR/tls.crt: " +
				"tls: private key does not match public key: write both from the same Secret",
		},
		"a certificate file that holds the key says how it must look": {
			lay: func(t *testing.T, dir string) { pair{good.key, good.key}.write(t, dir) },
			want: "parse certificate in DIR/tls.crt: x509: malformed tbs certificate: " +
				"write the serving certificate first, then its issuers, in PEM",
		},
		"a certificate file that is a directory cannot be read": {
			lay: func(t *testing.T, dir string) {
				if err := os.Mkdir(filepath.Join(dir, "tls.crt"), 0o700); err != nil {
					t.Fatal(err)
				}
			},
			want: "read certificate file: read DIR/tls.crt: is a directory: " +
				"make it readable for the user the webhook runs as",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.lay(t, dir)
			want := strings.ReplaceAll(test.want, "DIR", dir)

			f := newFilesFixture(t, dir, time.Now)
			err := f.Ready()
			if err == nil {
				t.Fatal("Ready with bad files")
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("Ready (-want +got):\n%s", diff)
			}
			if _, err := f.GetCertificate(nil); err == nil {
				t.Error("a handshake found a certificate")
			}
			if diff := cmp.Diff([]string{"CertificateFiles: " + want}, f.events.all()); diff != "" {
				t.Errorf("Events (-want +got):\n%s", diff)
			}

			// Mended, it recovers without a restart.
			start(t, f)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			good.write(t, dir)
			eventually(t, "Ready once the files are mended", func() bool { return f.Ready() == nil })
			if got := served(t, f); got != "good" {
				t.Errorf("serves %q, want good", got)
			}
			if got := value(t, f.report.Metrics.unhealthy); got != 0 {
				t.Error("the metric still says unhealthy")
			}
		})
	}
}

func TestFilesFollowsARotation(t *testing.T) {
	dir := t.TempDir()
	makePair(t, "first", time.Now().Add(time.Hour)).write(t, dir)
	f := newFilesFixture(t, dir, time.Now)
	start(t, f)

	makePair(t, "second", time.Now().Add(2*time.Hour)).write(t, dir)
	eventually(t, "the second certificate is served", func() bool { return served(t, f) == "second" })
}

func TestFilesFollowsAMountedSecret(t *testing.T) {
	// The kubelet swaps the link ..data; tls.crt and tls.key point through it.
	dir := t.TempDir()
	swap := func(version string, p pair) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		p.write(t, filepath.Join(dir, version))
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..v1", makePair(t, "first", time.Now().Add(time.Hour)))
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := newFilesFixture(t, dir, time.Now)
	start(t, f)

	swap("..v2", makePair(t, "second", time.Now().Add(2*time.Hour)))
	if err := os.RemoveAll(filepath.Join(dir, "..v1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second certificate is served", func() bool { return served(t, f) == "second" })
}

func TestFilesThatGoBadLaterAreReportedAndTheLastCertificateStays(t *testing.T) {
	dir := t.TempDir()
	first := makePair(t, "first", time.Now().Add(time.Hour))
	first.write(t, dir)
	f := newFilesFixture(t, dir, time.Now)
	start(t, f)

	writeFile(t, dir, "tls.key", bytes.Repeat([]byte("x"), 10))
	eventually(t, "the metric says unhealthy", func() bool {
		return value(t, f.report.Metrics.unhealthy) == 1
	})
	if err := f.Ready(); err != nil {
		t.Errorf("withdrawn although the first certificate is good: %v", err)
	}
	if got := served(t, f); got != "first" {
		t.Errorf("serves %q, want first", got)
	}
	if got := f.events.all(); len(got) != 1 || !strings.Contains(got[0], filepath.Join(dir, "tls.key")) {
		t.Errorf("want one Event that names tls.key, got %q", got)
	}

	makePair(t, "second", time.Now().Add(time.Hour)).write(t, dir)
	eventually(t, "the second certificate is served", func() bool { return served(t, f) == "second" })
	eventually(t, "the metric says healthy", func() bool {
		return value(t, f.report.Metrics.unhealthy) == 0
	})
}

func TestFilesWithAnExpiredCertificateAreNotReady(t *testing.T) {
	dir := t.TempDir()
	expiry := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	makePair(t, "first", expiry).write(t, dir)
	f := newFilesFixture(t, dir, func() time.Time { return expiry.Add(time.Second) })

	err := f.Ready()
	if err == nil {
		t.Fatal("Ready with an expired certificate")
	}
	want := "certificate in " + dir + "/tls.crt expired at 2030-01-02T03:04:05Z: have its issuer renew it"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("Ready (-want +got):\n%s", diff)
	}
}

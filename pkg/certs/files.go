package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// filesRetry is how long Files waits before it looks again for a certificate
// that could not be loaded, and filesCheck how often it looks whether the
// files it has loaded are still in order.
const (
	filesRetry = 500 * time.Millisecond
	filesCheck = 10 * time.Second
)

// Files serves with the certificate in tls.crt and the key in tls.key of a
// directory that somebody else keeps: cert-manager, or a mounted Secret of
// type kubernetes.io/tls. It follows changes, writes nothing and needs no API
// server. A file that goes bad later does not withdraw the certificate that
// has been loaded: it is served until it expires.
type Files struct {
	dir    string
	now    func() time.Time
	report Report
	check  time.Duration
	health health

	watcher atomic.Pointer[certwatcher.CertWatcher] // nil before the first good look
}

var _ Source = (*Files)(nil)

// NewFiles returns the source for a directory. It loads the files at once
// when they are there; otherwise Ready says what is missing and Start keeps
// looking.
func NewFiles(dir string, now func() time.Time, report Report) *Files {
	f := &Files{
		dir: dir, now: now, report: report, check: filesCheck,
		health: health{report: report, reason: "CertificateFiles"},
	}
	f.load()
	return f
}

// GetCertificate returns the certificate that was loaded last.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	watcher := f.watcher.Load()
	if watcher == nil {
		return nil, f.health.last()
	}
	return watcher.GetCertificate(hello)
}

// Start follows the files until ctx ends. It returns no error: whatever is
// wrong with a file can be mended while the process runs.
func (f *Files) Start(ctx context.Context) error {
	for {
		if watcher := f.watcher.Load(); watcher != nil {
			f.follow(ctx, watcher)
		}
		if !sleep(ctx, filesRetry) {
			return nil
		}
		f.load()
	}
}

// Ready returns nil while an unexpired certificate is loaded, else an error
// that names the file and the remedy.
func (f *Files) Ready() error {
	watcher := f.watcher.Load()
	if watcher == nil {
		return f.health.last()
	}
	certificate, err := watcher.GetCertificate(nil)
	if err != nil {
		return err
	}
	if expiry := certificate.Leaf.NotAfter; f.now().After(expiry) {
		return fmt.Errorf("certificate in %s expired at %s: have its issuer renew it",
			f.path(corev1.TLSCertKey), expiry.UTC().Format(time.RFC3339))
	}
	return nil
}

// load reads the files and takes them over when they are in order. A watcher
// that served before stays otherwise.
func (f *Files) load() {
	watcher, err := certwatcher.New(f.path(corev1.TLSCertKey), f.path(corev1.TLSPrivateKeyKey))
	if err != nil {
		f.health.note(f.diagnose(err))
		return
	}
	watcher.RegisterCallback(func(certificate tls.Certificate) {
		f.report.Metrics.setExpiry(certificate.Leaf.NotAfter)
	})
	f.watcher.Store(watcher)
	f.health.note(nil)
}

// follow runs the watcher until ctx ends or it gives up, which it does when
// a file vanishes before it can be watched. Meanwhile it looks at the files
// itself: the watcher keeps the last good certificate without telling.
func (f *Files) follow(ctx context.Context, watcher *certwatcher.CertWatcher) {
	ended := make(chan error, 1)
	go func() { ended <- watcher.WithWatchInterval(f.check).Start(ctx) }()
	ticker := time.NewTicker(f.check)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if ctx.Err() == nil {
				f.health.note(fmt.Errorf("watch %s: %w", f.dir, err))
			}
			return
		case <-ticker.C:
			f.health.note(f.diagnose(nil))
		}
	}
}

// diagnose reads the files once more and says in the words of an operator
// what is wrong with them. It returns the error it was given when it finds
// them in order, which happens when they were mended in between.
func (f *Files) diagnose(err error) error {
	const remedy = "%s: mount a Secret of type kubernetes.io/tls with tls.crt and tls.key there, or use --certs=self"
	contents := map[string][]byte{}
	for _, name := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		content, readErr := os.ReadFile(f.path(name))
		switch {
		case errors.Is(readErr, fs.ErrNotExist):
			return fmt.Errorf("no certificate file "+remedy, f.path(name))
		case readErr != nil:
			return fmt.Errorf("read certificate file: %w: make it readable for the user the webhook runs as", readErr)
		}
		if block, _ := pem.Decode(content); block == nil {
			return fmt.Errorf("no whole PEM block in "+remedy, f.path(name))
		}
		contents[name] = content
	}
	if _, parseErr := tls.X509KeyPair(contents[corev1.TLSCertKey], contents[corev1.TLSPrivateKeyKey]); parseErr != nil {
		return f.explainPair(contents[corev1.TLSCertKey], parseErr)
	}
	return err
}

// explainPair names the file that keeps a certificate and a key, both whole
// PEM, from being a pair.
func (f *Files) explainPair(certificate []byte, err error) error {
	block, _ := pem.Decode(certificate)
	if _, parseErr := x509.ParseCertificate(block.Bytes); parseErr != nil {
		return fmt.Errorf("parse certificate in %s: %w: write the serving certificate first, then its issuers, in PEM",
			f.path(corev1.TLSCertKey), parseErr)
	}
	return fmt.Errorf("key in %s does not fit the certificate in %s: %w: write both from the same Secret",
		f.path(corev1.TLSPrivateKeyKey), f.path(corev1.TLSCertKey), err)
}

func (f *Files) path(name string) string { return filepath.Join(f.dir, name) }

// sleep waits and tells whether ctx is still alive afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

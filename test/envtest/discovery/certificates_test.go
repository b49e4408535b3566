package discovery

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// leaf is the certificate that a process serves.
func leaf(t *testing.T, p *process) *x509.Certificate {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the test verifies it itself
		NextProtos:         []string{"h2"},
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// verifies tells whether a process serves a certificate for discovery's name
// that a CA has signed.
func verifies(t *testing.T, p *process, ca string) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	_, err := leaf(t, p).Verify(x509.VerifyOptions{Roots: roots, DNSName: serverName})
	return err
}

func (s *story) discoveryPublishesItsCA(t *testing.T) {
	s.greeter(t)
	s.endpoints(t, "10.0.0.1", "10.0.0.2")
	s.first.start(t)
	s.first.waitReady(t)
	if err := verifies(t, s.first, s.published(t)); err != nil {
		t.Error(err)
	}
	if s.published(t) != s.current(t) {
		t.Error("the ConfigMap does not hold the CA of the Secret")
	}
	served := leaf(t, s.first)
	for _, subject := range []string{served.Subject.CommonName, served.Issuer.CommonName} {
		if !strings.HasPrefix(subject, "probeshift discovery") {
			t.Errorf("a certificate's subject is %q", subject)
		}
	}
	if names := strings.Join(served.DNSNames, " "); !strings.HasPrefix(names, serverName+" ") {
		t.Errorf("the certificate is for %s", names)
	}
}

func (s *story) aSecondReplicaSharesTheCA(t *testing.T) {
	before := s.current(t)
	s.second.start(t)
	s.second.waitReady(t)
	if s.current(t) != before {
		t.Error("a second replica has replaced the CA")
	}
	if err := verifies(t, s.second, s.published(t)); err != nil {
		t.Error(err)
	}
}

func (s *story) aSidecarRefusesAnotherCA(t *testing.T) {
	err := asks(t.Context(), s.first, selfSigned(t), name)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("error %v", err)
	}
}

func (s *story) whatIsDoneToTheConfigMapIsPutRight(t *testing.T) {
	ca := s.published(t)
	foreign := selfSigned(t)
	for _, damage := range []struct {
		sentence string
		do       func()
		want     string
	}{
		{"the key is emptied", func() { s.publish(t, "ca.crt", "") }, ca},
		{"the ConfigMap is deleted", func() { s.unpublish(t) }, ca},
		{"what is no certificate is written into it", func() { s.publish(t, "ca.crt", "mine") }, ca},
		{"a certificate of somebody else is written over it", func() { s.publish(t, "ca.crt", foreign) }, foreign + ca},
	} {
		damage.do()
		eventually(t, damage.sentence+", and it is put right", func() bool { return s.published(t) == damage.want })
	}
	eventually(t, "an Event tells of the certificate of somebody else", func() bool {
		return s.told(t, "holds 1 certificates that discovery did not make")
	})
	s.publish(t, "ours", "stays")
	s.publish(t, "ca.crt", "")
	eventually(t, "it is put right beside another key", func() bool { return s.published(t) == ca })
	s.members(t, "discovery")
}

// aRotationOverlaps forces a rotation while sidecars connect without a pause:
// some that trust the old CA alone, and some that took the CA once the next one
// was published.
func (s *story) aRotationOverlaps(t *testing.T) {
	old := s.current(t)
	ctx, cancel := context.WithCancel(t.Context())
	var sidecars sync.WaitGroup
	defer sidecars.Wait()
	defer cancel()

	oldAlone := make(chan struct{})
	sidecars.Go(func() {
		defer close(oldAlone)
		for ctx.Err() == nil {
			if err := asks(ctx, s.first, old, name); err != nil && ctx.Err() == nil {
				if now, readErr := s.currentCA(ctx); now == old || readErr != nil {
					t.Errorf("a sidecar with the old CA is refused before the next one signs: %v, %v", err, readErr)
				}
				return
			}
		}
	})
	s.annotate(t, "probeshift.dev/rotate", "once")
	var both string
	eventually(t, "the next CA is published beside the old one", func() bool {
		both = s.published(t)
		return strings.HasPrefix(both, old) && both != old
	})
	for _, p := range []*process{s.first, s.second} {
		sidecars.Go(func() {
			for ctx.Err() == nil {
				if err := asks(ctx, p, both, name); err != nil && ctx.Err() == nil {
					t.Errorf("a sidecar with both CAs is refused: %v", err)
					return
				}
			}
		})
	}
	eventually(t, "the next CA signs", func() bool { return s.current(t) != old })
	if prepared, activated := s.stamps(t); activated.Sub(prepared) < 3*time.Second {
		t.Errorf("the next CA was made at %s and signs from %s", prepared, activated)
	}
	eventually(t, "the old CA is published no more", func() bool { return s.published(t) == s.current(t) })
	<-oldAlone
	if err := asks(ctx, s.second, old, name); err == nil {
		t.Error("a sidecar with the old CA alone is served for good")
	}
}

func (s *story) aRevocationTakesTheCAAway(t *testing.T) {
	old := s.current(t)
	s.annotate(t, "probeshift.dev/revoke", "leaked")
	eventually(t, "another CA signs and is published alone", func() bool {
		now := s.current(t)
		return now != old && s.published(t) == now
	})
	for _, p := range []*process{s.first, s.second} {
		eventually(t, "sidecars with the new CA are served", func() bool { return asks(t.Context(), p, s.current(t), name) == nil })
		if err := asks(t.Context(), p, old, name); err == nil {
			t.Error("a sidecar with the revoked CA alone is served")
		}
	}
	const words = "sidecars that were injected before it was published do not hear of changes until their Pods are made again"
	if s.first.said("a new CA is used at once (revoke): "+words)+s.second.said("a new CA is used at once (revoke): "+words) > 1 {
		t.Errorf("more than one replica has taken the step")
	}
	eventually(t, "an Event on the ConfigMap says so", func() bool { return s.told(t, words) })
}

// selfSigned makes a CA of somebody else, in PEM.
func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody else"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

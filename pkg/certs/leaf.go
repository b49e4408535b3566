package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// Leaf is a serving certificate. It lives in the memory of one replica.
type Leaf struct {
	// TLS is what a handshake serves.
	TLS *tls.Certificate
	// Issuer signed it.
	Issuer Certificate
	// IssuedAt and NotAfter bound its life.
	IssuedAt, NotAfter time.Time
}

// keyring makes keys and certificates and verifies them.
type keyring interface {
	// mint makes a CA.
	mint(now Now) (Authority, error)
	// sign makes a leaf that lives for at most the given time and not beyond
	// its CA.
	sign(now Now, ca Authority, life time.Duration) (*Leaf, error)
	// verify tells whether a client that trusts the bundle accepts the leaf
	// for the host.
	verify(now Now, leaf *Leaf, bundle Bundle, host string) error
}

// x509Keyring is the keyring of ECDSA P-256.
type x509Keyring struct {
	subject string // how common names begin
	names   []string
	caLife  time.Duration
	random  io.Reader
}

var _ keyring = x509Keyring{}

func (k x509Keyring) mint(now Now) (Authority, error) {
	issued := now.Server
	key, serial, err := k.keyAndSerial()
	if err != nil {
		return Authority{}, fmt.Errorf("make CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: k.subject + " CA " + issued.UTC().Format(time.RFC3339)},
		NotBefore:             issued.Add(-backdate),
		NotAfter:              issued.Add(k.caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(k.random, template, template, key.Public(), key)
	if err != nil {
		return Authority{}, fmt.Errorf("make CA: %w", err)
	}
	certificate, err := parseCertificate(der)
	if err != nil {
		return Authority{}, fmt.Errorf("make CA: %w", err)
	}
	return Authority{Certificate: certificate, Key: key}, nil
}

func (k x509Keyring) sign(now Now, ca Authority, life time.Duration) (*Leaf, error) {
	parent, err := x509.ParseCertificate(ca.DER)
	if err != nil {
		return nil, fmt.Errorf("parse CA: %w", err)
	}
	key, serial, err := k.keyAndSerial()
	if err != nil {
		return nil, fmt.Errorf("make leaf: %w", err)
	}
	issued, end := leafLife(now, ca.Certificate, life)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: k.subject},
		NotBefore:    issued.Add(-backdate),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range k.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(k.random, template, parent, key.Public(), ca.Key)
	if err != nil {
		return nil, fmt.Errorf("sign leaf: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse leaf: %w", err)
	}
	return &Leaf{
		TLS:      &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed},
		Issuer:   ca.Certificate,
		IssuedAt: issued,
		NotAfter: parsed.NotAfter,
	}, nil
}

func (k x509Keyring) verify(now Now, leaf *Leaf, bundle Bundle, host string) error {
	roots := x509.NewCertPool()
	for _, c := range bundle.Certificates {
		if parsed, err := x509.ParseCertificate(c.DER); err == nil {
			roots.AddCert(parsed)
		}
	}
	_, err := leaf.TLS.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now.Server})
	return err
}

// keyAndSerial makes a P-256 key and a random serial number of 128 bits.
func (k x509Keyring) keyAndSerial() (*ecdsa.PrivateKey, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), k.random)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	serial, err := rand.Int(k.random, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, nil, fmt.Errorf("make serial number: %w", err)
	}
	return key, serial.Add(serial, big.NewInt(1)), nil
}

// leafLife returns when a leaf counts as issued and when it ends, on the clock
// of those who verify it.
func leafLife(now Now, ca Certificate, life time.Duration) (issued, end time.Time) {
	issued = now.Server
	end = issued.Add(life)
	if ca.NotAfter.Before(end) {
		end = ca.NotAfter
	}
	return issued, end
}

// renewAt returns when a leaf is renewed: at 2/3 of its life, up to a tenth of
// it earlier so that replicas do not act as one. The jitter is in [0, 1).
func (l *Leaf) renewAt(jitter float64) time.Time {
	life := l.NotAfter.Sub(l.IssuedAt)
	return l.IssuedAt.Add(life*2/3 - time.Duration(float64(life)*jitter/10))
}

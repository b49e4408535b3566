package certs

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// backdate is how far in the past every certificate starts, so that a clock
// that is behind trusts it too. Lives count from the issue, not from there.
const backdate = 24 * time.Hour

// Certificate is what the rules need to know of an X.509 certificate.
type Certificate struct {
	// SHA256 of the DER bytes in lower-case hexadecimal: its identity.
	SHA256    string
	NotBefore time.Time
	NotAfter  time.Time
	// DER is the certificate itself.
	DER []byte
}

// expired tells whether the certificate has ended at the given time.
func (c Certificate) expired(at time.Time) bool { return !at.Before(c.NotAfter) }

// issuedAt returns when one of our certificates was issued.
func (c Certificate) issuedAt() time.Time { return c.NotBefore.Add(backdate) }

// parseCertificate reads DER bytes.
func parseCertificate(der []byte) (Certificate, error) {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, err
	}
	sum := sha256.Sum256(der)
	return Certificate{
		SHA256:    hex.EncodeToString(sum[:]),
		NotBefore: parsed.NotBefore,
		NotAfter:  parsed.NotAfter,
		DER:       der,
	}, nil
}

// encodeCertificates writes certificates as PEM, one block after the other.
func encodeCertificates(certificates ...Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certificates {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	}
	return out.Bytes()
}

// Authority is a CA that can sign.
type Authority struct {
	Certificate
	Key crypto.Signer
}

// decodeAuthority reads a CA certificate and its key from PEM and checks that
// they belong together.
func decodeAuthority(crt, key []byte) (Authority, error) {
	block, rest := pem.Decode(crt)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return Authority{}, errors.New("certificate is not exactly one PEM block")
	}
	certificate, err := parseCertificate(block.Bytes)
	if err != nil {
		return Authority{}, fmt.Errorf("parse certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Authority{}, fmt.Errorf("parse certificate: %w", err)
	}
	if !parsed.IsCA {
		return Authority{}, errors.New("certificate is not a CA")
	}
	signer, err := decodeKey(key)
	if err != nil {
		return Authority{}, err
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(parsed.PublicKey) {
		return Authority{}, errors.New("key does not belong to the certificate")
	}
	return Authority{Certificate: certificate, Key: signer}, nil
}

// decodeKey reads a PKCS #8 key from PEM. Its errors never quote the content.
func decodeKey(content []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("key is not PKCS #8")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("key cannot sign")
	}
	return signer, nil
}

// encodeKey writes a key as PKCS #8 in PEM.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

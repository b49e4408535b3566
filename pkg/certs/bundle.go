package certs

import (
	"bytes"
	"encoding/pem"
	"slices"
)

// MaxBundle is how many certificates a bundle may hold.
const MaxBundle = 16

// Bundle is a parsed caBundle.
type Bundle struct {
	Certificates []Certificate
	// Unclean says that the bytes held something beside certificates, or a
	// certificate twice.
	Unclean bool
}

// ParseBundle reads a caBundle. It never fails: what is not a certificate is
// left out and noted.
func ParseBundle(content []byte) Bundle {
	var bundle Bundle
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := parseCertificate(block.Bytes)
		if block.Type == "CERTIFICATE" && err == nil && !bundle.holds(certificate.SHA256) {
			bundle.Certificates = append(bundle.Certificates, certificate)
		}
	}
	bundle.Unclean = !bytes.Equal(withoutSpace(content), withoutSpace(bundle.PEM()))
	return bundle
}

// withoutSpace takes out what may differ between two ways of writing the same
// certificates.
func withoutSpace(content []byte) []byte {
	return bytes.Join(bytes.Fields(content), nil)
}

// PEM returns the bytes of the caBundle.
func (b Bundle) PEM() []byte { return encodeCertificates(b.Certificates...) }

// holds tells whether a certificate is in the bundle.
func (b Bundle) holds(sha256 string) bool {
	return slices.ContainsFunc(b.Certificates, func(c Certificate) bool { return c.SHA256 == sha256 })
}

// Merged is the outcome of Merge.
type Merged struct {
	Bundle Bundle
	// Changed tells whether the live bundle must be written.
	Changed bool
	// Missing are the certificates that the state names and the live bundle
	// did not hold.
	Missing []Certificate
	// Crowded are foreign certificates that went because the bundle was full.
	Crowded []Certificate
}

// Merge returns the live bundle with everything that the state names. Foreign
// certificates stay. It takes out what the state lists as retired, what has
// expired and what is not a certificate, and, where more than 16 certificates
// are left, the foreign ones that expire first.
func Merge(now Now, live Bundle, state State) Merged {
	merged := Merged{Changed: live.Unclean}
	for _, c := range live.Certificates {
		if c.expired(now.Earliest()) || state.retired(c.SHA256) {
			merged.Changed = true
			continue
		}
		merged.Bundle.Certificates = append(merged.Bundle.Certificates, c)
	}
	for _, c := range state.named() {
		if c.expired(now.Earliest()) || merged.Bundle.holds(c.SHA256) {
			continue
		}
		merged.Changed = true
		merged.Missing = append(merged.Missing, c)
		merged.Bundle.Certificates = append(merged.Bundle.Certificates, c)
	}
	merged.crowdOut(state)
	return merged
}

// crowdOut takes foreign certificates out until the bundle is small enough.
func (m *Merged) crowdOut(state State) {
	excess := len(m.Bundle.Certificates) - MaxBundle
	if excess <= 0 {
		return
	}
	var foreign []Certificate
	for _, c := range m.Bundle.Certificates {
		if !state.names(c.SHA256) {
			foreign = append(foreign, c)
		}
	}
	slices.SortStableFunc(foreign, func(a, b Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	m.Crowded = foreign[:min(excess, len(foreign))]
	for _, out := range m.Crowded {
		m.Changed = true
		m.Bundle.Certificates = slices.DeleteFunc(m.Bundle.Certificates,
			func(c Certificate) bool { return c.SHA256 == out.SHA256 })
	}
}

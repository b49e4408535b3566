package published

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/probeshift/probeshift/pkg/certs"
)

// usable returns the CAs among the certificates of some content, in PEM and
// without anything else: one byte too many would make Envoy refuse its whole
// configuration. It is an error if there is none, or if there are more than
// discovery ever publishes: they are copied into every Pod.
func usable(content string) (string, error) {
	if content == "" {
		return "", errors.New("the key is missing or empty")
	}
	all := certs.ParseBundle([]byte(content)).Certificates
	if len(all) > certs.MaxBundle {
		return "", fmt.Errorf("it holds %d certificates, more than %d", len(all), certs.MaxBundle)
	}
	var cas certs.Bundle
	for _, certificate := range all {
		if parsed, err := x509.ParseCertificate(certificate.DER); err == nil && parsed.IsCA {
			cas.Certificates = append(cas.Certificates, certificate)
		}
	}
	if len(cas.Certificates) == 0 {
		return "", errors.New("it holds no certificate of a CA")
	}
	return string(cas.PEM()), nil
}

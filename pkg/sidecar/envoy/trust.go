package envoy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// authenticated is TLS with a server that proves its name by a certificate of the
// CA. Without it whoever answers at the address could send requests anywhere.
func authenticated(d Discovery) *tlsv3.UpstreamTlsContext {
	return &tlsv3.UpstreamTlsContext{
		Sni: d.ServerName,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			// Both ends are of one release; by default Envoy offers 1.2 as well.
			TlsParams: &tlsv3.TlsParameters{
				TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
				TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
			},
			// A gRPC server closes a connection that does not ask for HTTP/2 by name.
			AlpnProtocols: []string{"h2"},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
				ValidationContext: &tlsv3.CertificateValidationContext{
					// Inline: a volume would keep the Pod waiting for the ConfigMap.
					TrustedCa: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: d.certificates()}},
					// By default any certificate of the CA would do.
					MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
						SanType: tlsv3.SubjectAltNameMatcher_DNS,
						Matcher: exactly(d.ServerName),
					}},
				},
			},
		},
	}
}

// certificates are those of the CA alone, without what else may stand in the PEM.
func (d Discovery) certificates() string {
	blocks, _ := d.blocks() // a Discovery with an error makes no bootstrap
	var text strings.Builder
	for _, block := range blocks {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
	return text.String()
}

// blocks reads the PEM. Envoy would not start with a certificate that it cannot
// read.
func (d Discovery) blocks() ([]*pem.Block, error) {
	var blocks []*pem.Block
	for rest := []byte(d.CA); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("its CA holds a %q where only certificates belong", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("its CA holds what is no certificate: %w", err)
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		return nil, errors.New("its CA is not known: there is no certificate in PEM")
	}
	return blocks, nil
}

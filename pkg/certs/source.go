package certs

import (
	"context"
	"crypto/tls"
)

// Source provides the serving certificate.
type Source interface {
	// GetCertificate returns the certificate to serve a handshake with. It
	// never blocks on I/O. Before the first certificate is there it returns
	// an error, which fails the handshake.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// Start keeps the certificate current until ctx ends. It returns an error
	// only for what cannot be mended without a restart.
	Start(ctx context.Context) error

	// Ready returns nil once the source can serve, else an error that names
	// the object at fault and the remedy.
	Ready() error
}

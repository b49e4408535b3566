package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// readHello reads the first record of a TLS connection and returns it with the
// application protocols that the client offers.
func readHello(ctx context.Context, client io.Reader) (record []byte, protocols []string, err error) {
	const header, lengthAt = 5, 3
	var read bytes.Buffer
	if _, err := io.CopyN(&read, client, header); err != nil {
		return read.Bytes(), nil, fmt.Errorf("no TLS record: %w", err)
	}
	length := binary.BigEndian.Uint16(read.Bytes()[lengthAt:])
	if _, err := io.CopyN(&read, client, int64(length)); err != nil {
		return read.Bytes(), nil, fmt.Errorf("half a TLS record: %w", err)
	}
	record = read.Bytes()
	protocols, err = offered(ctx, record)
	return record, protocols, err
}

// offered lets the standard library read a ClientHello and ends the handshake
// there.
func offered(ctx context.Context, record []byte) (protocols []string, err error) {
	enough := errors.New("enough")
	server := tls.Server(recorded{Reader: bytes.NewReader(record)}, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			protocols = hello.SupportedProtos
			return nil, enough
		},
	})
	if err := server.HandshakeContext(ctx); !errors.Is(err, enough) {
		return nil, fmt.Errorf("no ClientHello: %w", err)
	}
	return protocols, nil
}

// recorded is a connection that was recorded: answers go nowhere.
type recorded struct {
	net.Conn
	io.Reader
}

// Read reads what was recorded.
func (r recorded) Read(p []byte) (int, error) { return r.Reader.Read(p) }

// Write takes everything.
func (recorded) Write(p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (recorded) Close() error { return nil }

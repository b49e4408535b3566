package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// serveHTTP says who it is, and echoes at /echo over a WebSocket.
func (g *greeter) serveHTTP(listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Protocol", r.Proto)
		w.Header().Set("X-Host", r.Host)
		fmt.Fprint(w, g.name)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		connection, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer connection.CloseNow() //nolint:errcheck // whoever is gone is gone
		if connection.Write(r.Context(), websocket.MessageText, []byte(g.name)) != nil {
			return
		}
		for {
			kind, message, err := connection.Read(r.Context())
			if err != nil || connection.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// serveEcho answers the first line with its name, then sends everything back.
func (g *greeter) serveEcho(listener net.Listener) error {
	return accept(listener, func(connection net.Conn) error {
		reader := bufio.NewReader(connection)
		if _, err := reader.ReadString('\n'); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(connection, g.name); err != nil {
			return err
		}
		_, err := io.Copy(connection, reader)
		return err
	})
}

// serveServerFirst speaks before it is spoken to, as MySQL does.
func (g *greeter) serveServerFirst(listener net.Listener) error {
	return accept(listener, func(connection net.Conn) error {
		if _, err := fmt.Fprintln(connection, g.name); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, connection)
		return err
	})
}

// serveSink reads a line that says how long it shall read nothing, does so, and
// says how many bytes came after the line.
func (g *greeter) serveSink(listener net.Listener) error {
	return accept(listener, func(connection net.Conn) error {
		reader := bufio.NewReaderSize(connection, 512)
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		sleep, err := time.ParseDuration(line[:len(line)-1])
		if err != nil {
			return err
		}
		time.Sleep(sleep)
		n, err := io.Copy(io.Discard, reader)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(connection, n)
		return err
	})
}

// serveTLS serves gRPC within TLS.
func (g *greeter) serveTLS(listener net.Listener) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	credential := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	return g.newServer(grpc.Creds(credential)).Serve(listener)
}

// accept serves every connection by itself.
func accept(listener net.Listener, serve func(net.Conn) error) error {
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
		go func() {
			defer hangUp(connection)
			serve(connection) //nolint:errcheck // the other side sees what became of it
		}()
	}
}

// selfSigned is a certificate that nobody trusts.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"greeter"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

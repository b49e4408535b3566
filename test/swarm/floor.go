package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// floorCommand has the program be a bare server of TLS: what a connection of it
// takes cannot be less for discovery.
const floorCommand = "serve-floor"

// firstRequest is how many bytes a sidecar's first request has.
const firstRequest = 61 << 10

// serveFloor accepts connections, reads of each what a sidecar sends first, and
// keeps it until the program is killed.
func serveFloor(ctx context.Context, out io.Writer) error {
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	plain, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener := tls.NewListener(plain, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}})
	fmt.Fprintln(out, listener.Addr())
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go swallow(c)
	}
}

// swallow reads what comes until the end, and says a byte after each full stop.
func swallow(c net.Conn) {
	defer c.Close() //nolint:errcheck // whoever is there may go
	buffer := make([]byte, 4<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if n > 0 && buffer[n-1] == '.' {
			if _, err := c.Write(buffer[:1]); err != nil {
				return
			}
		}
	}
}

// floor is the memory that one connection of TLS takes, in bytes, of so many.
func floor(ctx context.Context, connections int) (each int64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("finding the own program: %w", err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close() //nolint:errcheck // it was read from
	p, err := startProcess(ctx, writer, self, floorCommand)
	writer.Close() //nolint:errcheck // the process has its own
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = p.command.Process.Signal(syscall.SIGKILL)
		<-p.ended
	}()
	address, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("starting the bare server: %w\n%s", err, p.output)
	}
	before, err := p.resident("VmRSS")
	if err != nil {
		return 0, err
	}
	var open []io.Closer
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	content := []byte(strings.Repeat("x", firstRequest-1) + ".")
	for range connections {
		dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}} //nolint:gosec // it measures memory
		c, err := dialer.DialContext(ctx, "tcp", strings.TrimSpace(address))
		if err != nil {
			return 0, err
		}
		open = append(open, c)
		if _, err := c.Write(content); err != nil {
			return 0, err
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return 0, err
		}
	}
	after, err := p.resident("VmRSS")
	return (after - before) / int64(connections), err
}

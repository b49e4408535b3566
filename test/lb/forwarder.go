package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
)

// forwarderConfig is the bootstrap of an Envoy that only forwards.
//
//go:embed forwarder.yaml
var forwarderConfig string

// The address of the forwarder, which is no Pod's.
const (
	forwarderHost = "127.0.0.1"
	forwarderPort = 19000
)

// startForwarder starts an Envoy that only forwards to all backends, and returns a
// connection to it and what ends both.
func (b *bed) startForwarder(ctx context.Context) (*grpc.ClientConn, func(), error) {
	var members []string
	for _, be := range b.backends {
		members = append(members, fmt.Sprintf("{endpoint: {address: {socket_address: {address: %s, port_value: %d}}}}", be.address, grpcPort))
	}
	port := strconv.Itoa(forwarderPort)
	config := strings.NewReplacer("ADDRESS", forwarderHost, "PORT", port, "MEMBERS", strings.Join(members, ", ")).Replace(forwarderConfig)
	process := exec.CommandContext(ctx, filepath.Join(place, "envoy"), "--config-yaml", config, "--concurrency", "1", "--disable-hot-restart")
	output, ended, err := launch(process)
	if err != nil {
		return nil, nil, fmt.Errorf("starting an Envoy that only forwards: %w", err)
	}
	connection, err := dial(net.JoinHostPort(forwarderHost, port))
	if err != nil {
		return nil, nil, err
	}
	if err := b.warm(ctx, connection, len(b.backends)); err != nil {
		return nil, nil, fmt.Errorf("an Envoy that only forwards: %w: %s", err, output)
	}
	return connection, func() {
		hangUp(connection)
		process.Process.Kill() //nolint:errcheck // it ends with the bed at the latest
		<-ended
	}, nil
}

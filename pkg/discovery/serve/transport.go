package serve

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

const (
	// defaultMaxConnectionAge is how long a connection lasts, give or take the
	// tenth that grpc adds or takes: replicas that came later get their share.
	defaultMaxConnectionAge = 30 * time.Minute
	// ageGrace is how long a stream may go on after that. Without it a stream
	// that never ends by itself keeps its connection for good.
	ageGrace = 5 * time.Second
	// maxIdle is how long a connection without a stream lasts.
	maxIdle = time.Minute

	// establishWithin is how long TLS and HTTP/2's opening may take together.
	establishWithin = 10 * time.Second
	// pingAfter and pingTimeout find clients that are gone without a word.
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	// pingsAtMost is how often a client may ping. Envoy does so every 15 seconds,
	// also on a connection without a stream; grpc's own limit of 5 minutes would
	// throw it out.
	pingsAtMost = 10 * time.Second

	// maxRequest is the size of a request, in bytes. Envoy 1.38 begins with 60 KiB
	// about itself, every extension that was compiled in; a hundred of the longest
	// names and their versions are another 47 KiB.
	maxRequest = 128 << 10
	// maxHeaders is the size of a request's headers, in bytes.
	maxHeaders = 8 << 10
	// streamsPerConnection is how many streams one connection may have; a sidecar
	// has one.
	streamsPerConnection = 2
	// window is how much a client may send ahead of being read: the least that
	// grpc takes, without the measurements that would widen it.
	window = 64 << 10
)

// newTransport returns a gRPC server without services. Memory decides about its
// buffers: there are thousands of connections that say little. TLS reads whole
// records as it is, so that grpc's own buffer for reading would hold each byte
// twice; its buffer for writing is shared by all connections.
func newTransport(config Config, refused func(reason, net.Addr, error)) *grpc.Server {
	secure := credentials.NewTLS(&tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: config.GetCertificate,
		// An assignment in one record is one write. By default the first 128 KiB of
		// a connection, which is often all there is, go in records of one packet.
		DynamicRecordSizingDisabled: true,
	})
	return grpc.NewServer(
		grpc.Creds(noted{secure, refused}),
		grpc.ConnectionTimeout(establishWithin),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle:     maxIdle,
			MaxConnectionAge:      config.MaxConnectionAge,
			MaxConnectionAgeGrace: ageGrace,
			Time:                  pingAfter,
			Timeout:               pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsAtMost, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(streamsPerConnection),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.ForceServerCodecV2(newNodeless()),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.ReadBufferSize(0),
	)
}

// noted are credentials that tell of handshakes that failed.
type noted struct {
	credentials.TransportCredentials
	refused func(reason, net.Addr, error)
}

// ServerHandshake tells of a failure, unless the other side just went away, as
// probes of ports do.
func (n noted) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	connection, info, err := n.TransportCredentials.ServerHandshake(raw)
	if err != nil && !errors.Is(err, io.EOF) {
		n.refused(handshake, raw.RemoteAddr(), err)
	}
	return connection, info, err
}

// Clone is asked for by grpc.
func (n noted) Clone() credentials.TransportCredentials {
	return noted{n.TransportCredentials.Clone(), n.refused}
}

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
)

// serverName is what discovery's certificate is for.
const serverName = "probeshift-discovery." + system + ".svc"

// target is where sidecars dial, and whom they trust.
type target struct {
	// addresses are those of the replicas: each connection goes to any of them.
	addresses []string
	roots     *x509.CertPool
}

// sidecar is a simulated one: a delta stream that asks for its names, says who it
// is as Envoy does, acknowledges what it gets, and comes back when the stream
// ends.
type sidecar struct {
	number int
	names  []string
	fleet  *fleet

	mu sync.Mutex
	// held are the assignments, as they came; versions theirs.
	held     map[string][]byte
	versions map[string]string
	// marker is the last change that it was seen to have.
	marker int64

	streams  atomic.Int64
	received atomic.Int64 // bytes on the wire
}

// run keeps a stream open until ctx ends.
func (s *sidecar) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.serve(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.Int64N(int64(100 * time.Millisecond)))):
		}
	}
}

// serve connects and takes what it is told until the stream ends.
func (s *sidecar) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to := s.fleet.to.Load()
	connection, err := connect(to, s.address(), &s.received)
	if err != nil {
		return
	}
	defer connection.Close() //nolint:errcheck // whoever is there may go
	stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		return
	}
	if err := stream.Send(s.first()); err != nil {
		return
	}
	s.streams.Add(1)
	for {
		answer, err := stream.Recv()
		if err != nil {
			return
		}
		s.take(answer)
		if stream.Send(&discoverygrpc.DeltaDiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResponseNonce: answer.GetNonce()}) != nil {
			return
		}
	}
}

// first is the request that opens a stream.
func (s *sidecar) first() *discoverygrpc.DeltaDiscoveryRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &discoverygrpc.DeltaDiscoveryRequest{
		Node: s.fleet.node, TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: s.names, InitialResourceVersions: maps.Clone(s.versions),
	}
}

// take keeps what came, and tells the fleet of a change that is waited for.
func (s *sidecar) take(answer *discoverygrpc.DeltaDiscoveryResponse) {
	now := time.Now()
	waited := s.fleet.waited.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range answer.GetResources() {
		value := r.GetResource().GetValue()
		s.held[r.GetName()], s.versions[r.GetName()] = value, r.GetVersion()
		if waited != nil && waited.name == r.GetName() && s.marker != waited.number && bytes.Contains(value, waited.marker) {
			s.marker = waited.number
			waited.got <- now.Sub(waited.at)
		}
	}
}

// address is its own, of 127.0.0.0/8.
func (s *sidecar) address() string {
	return fmt.Sprintf("127.%d.%d.%d", 16+s.number>>14, s.number>>7&127, s.number&127+1)
}

// wrong says what it holds of a Service that is not so.
func (s *sidecar) wrong(of *service) error {
	s.mu.Lock()
	value := s.held[of.resource()]
	s.mu.Unlock()
	if value == nil {
		return fmt.Errorf("sidecar %d knows nothing of %s", s.number, of.name)
	}
	var assignment endpointv3.ClusterLoadAssignment
	if err := proto.Unmarshal(value, &assignment); err != nil {
		return fmt.Errorf("sidecar %d, %s: %w", s.number, of.name, err)
	}
	var addresses []string
	for _, e := range assignment.GetEndpoints()[0].GetLbEndpoints() {
		addresses = append(addresses, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
	}
	slices.Sort(addresses)
	if want := of.addresses(); !slices.Equal(addresses, want) {
		return fmt.Errorf("sidecar %d knows %d endpoints of %s that are not the %d there are", s.number, len(addresses), of.name, len(want))
	}
	return nil
}

// connect connects to one of the replicas as Envoy does, with pings every 15
// seconds.
func connect(to *target, from string, received *atomic.Int64) (*grpc.ClientConn, error) {
	address := to.addresses[rand.IntN(len(to.addresses))]
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: to.roots, ServerName: serverName, MinVersion: tls.VersionTLS13})),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 500 * time.Millisecond, Multiplier: 2, Jitter: 1, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 20 * time.Second,
		}),
		grpc.WithReadBufferSize(0),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			return metered{c, received}, nil
		}))
}

// metered counts what is received.
type metered struct {
	net.Conn
	received *atomic.Int64
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.received.Add(int64(n))
	return n, err
}

// envoyNode is what Envoy says of itself when it opens a stream: every extension
// that was compiled in, 60 kilobytes in version 1.40.
func envoyNode() *corev3.Node {
	node := &corev3.Node{Id: "sidecar", Cluster: "probeshift", UserAgentName: "envoy"}
	for i := range 420 {
		node.Extensions = append(node.Extensions, &corev3.Extension{
			Name:     fmt.Sprintf("envoy.filters.http.extension_number_%03d", i),
			Category: "envoy.filters.http",
			TypeUrls: []string{fmt.Sprintf("envoy.extensions.filters.http.extension_number_%03d.v3.ExtensionNumber%03d", i, i)},
		})
	}
	return node
}

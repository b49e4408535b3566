package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// serverName is what the serving certificate of tests is for.
const serverName = "probeshift-discovery.probeshift-system.svc"

// pair is a serving certificate and who trusts it.
type pair struct {
	certificate *tls.Certificate
	roots       *x509.CertPool
}

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{serverName}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return pair{&tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key, Leaf: leaf}, roots}
}

// dialer connects to the server under test.
type dialer func(context.Context, string) (net.Conn, error)

// connect returns a connection as a sidecar's Envoy makes it.
func connect(t *testing.T, dial dialer, roots *x509.CertPool, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	secure := credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS13})
	connection, err := grpc.NewClient("passthrough:///discovery", append([]grpc.DialOption{
		grpc.WithTransportCredentials(secure), grpc.WithContextDialer(dial), grpc.WithNoProxy(),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// pinging has a client ping whether or not it has a stream.
func pinging(every time.Duration) grpc.DialOption {
	return grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: every, Timeout: 5 * time.Second, PermitWithoutStream: true})
}

// sidecar is an xDS client of the delta form, which keeps what it was told.
type sidecar struct {
	t      *testing.T
	close  func()
	stream discoverygrpc.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	// told are the addresses of each name, in order of what was received;
	// versions what to say on coming back.
	told     map[string][]string
	versions map[string]string
	// answers counts answers; removed are names that were said to be removed.
	answers chan *discoverygrpc.DeltaDiscoveryResponse
	removed []string
	ended   chan error
}

// newSidecar opens a stream that asks for names. versions are those it already
// knows.
func newSidecar(t *testing.T, connection *grpc.ClientConn, versions map[string]string, names ...string) *sidecar {
	t.Helper()
	s := openDelta(t, connection)
	s.send(&discoverygrpc.DeltaDiscoveryRequest{
		TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: names, InitialResourceVersions: versions,
	})
	return s
}

// openDelta opens a stream that asks for nothing yet.
func openDelta(t *testing.T, connection *grpc.ClientConn) *sidecar {
	t.Helper()
	s := openUnread(t, connection)
	go func() {
		for {
			answer, err := s.stream.Recv()
			if err != nil {
				s.ended <- err
				return
			}
			s.answers <- answer
		}
	}()
	return s
}

// openUnread opens a stream of which nothing is read.
func openUnread(t *testing.T, connection *grpc.ClientConn) *sidecar {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &sidecar{
		t: t, stream: stream, close: cancel, told: map[string][]string{}, versions: map[string]string{},
		answers: make(chan *discoverygrpc.DeltaDiscoveryResponse, 1000), ended: make(chan error, 1),
	}
}

func (s *sidecar) send(request *discoverygrpc.DeltaDiscoveryRequest) {
	s.t.Helper()
	if err := s.stream.Send(request); err != nil {
		s.t.Fatalf("send: %v", err)
	}
}

// take takes in and acknowledges an answer.
func (s *sidecar) take(answer *discoverygrpc.DeltaDiscoveryResponse) {
	s.t.Helper()
	for _, r := range answer.GetResources() {
		s.told[r.GetName()] = addressesIn(s.t, r)
		s.versions[r.GetName()] = r.GetVersion()
	}
	s.removed = append(s.removed, answer.GetRemovedResources()...)
	s.send(&discoverygrpc.DeltaDiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResponseNonce: answer.GetNonce()})
}

// addressesIn are the addresses of an assignment, which must be called what its
// resource is called.
func addressesIn(t *testing.T, r *discoverygrpc.Resource) []string {
	t.Helper()
	var assignment endpointv3.ClusterLoadAssignment
	if err := r.GetResource().UnmarshalTo(&assignment); err != nil {
		t.Fatal(err)
	}
	if assignment.GetClusterName() != r.GetName() {
		t.Errorf("the assignment of %q is called %q, which Envoy refuses", r.GetName(), assignment.GetClusterName())
	}
	if err := assignment.ValidateAll(); err != nil {
		t.Errorf("Envoy would refuse the assignment of %q: %v", r.GetName(), err)
	}
	addresses := []string{}
	for _, locality := range assignment.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			addresses = append(addresses, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		}
	}
	slices.Sort(addresses)
	return addresses
}

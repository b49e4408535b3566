package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// endpoints is the type of what is asked for.
const endpoints = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

// xdsClient is a sidecar as discovery sees it: one stream that asks for one
// name.
type xdsClient struct {
	connection *grpc.ClientConn
	stream     grpc.BidiStreamingClient[discoverygrpc.DeltaDiscoveryRequest, discoverygrpc.DeltaDiscoveryResponse]
}

// connect opens a stream to discovery at an address, as a sidecar that trusts
// these certificates.
func connect(ctx context.Context, address, ca, name string) (*xdsClient, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		return nil, errors.New("the sidecar has no CA")
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS13,
	})))
	if err != nil {
		return nil, err
	}
	s := &xdsClient{connection: connection}
	if s.stream, err = discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	err = s.stream.Send(&discoverygrpc.DeltaDiscoveryRequest{TypeUrl: endpoints, ResourceNamesSubscribe: []string{name}})
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return s, nil
}

// next returns the addresses of the next answer, sorted.
func (s *xdsClient) next() ([]string, error) {
	response, err := s.stream.Recv()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, resource := range response.GetResources() {
		var assignment endpointv3.ClusterLoadAssignment
		if err := resource.GetResource().UnmarshalTo(&assignment); err != nil {
			return nil, err
		}
		for _, locality := range assignment.GetEndpoints() {
			for _, endpoint := range locality.GetLbEndpoints() {
				address := endpoint.GetEndpoint().GetAddress().GetSocketAddress()
				all = append(all, fmt.Sprintf("%s:%d", address.GetAddress(), address.GetPortValue()))
			}
		}
	}
	slices.Sort(all)
	return all, s.stream.Send(&discoverygrpc.DeltaDiscoveryRequest{TypeUrl: endpoints, ResponseNonce: response.GetNonce()})
}

// sidecarAt opens a stream that lives until the test ends.
func sidecarAt(t *testing.T, p *process, ca, name string) *xdsClient {
	t.Helper()
	s, err := connect(t.Context(), p.address, ca, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.connection.Close() })
	return s
}

// follows waits until the stream has told these addresses.
func (s *xdsClient) follows(t *testing.T, want ...string) {
	t.Helper()
	for {
		got, err := s.next()
		if err != nil {
			t.Fatalf("instead of %v: %v", want, err)
		}
		if slices.Equal(got, want) {
			return
		}
	}
}

// asks opens a stream, waits for an answer and closes it.
func asks(ctx context.Context, p *process, ca, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := connect(ctx, p.address, ca, name)
	if err != nil {
		return err
	}
	defer func() { _ = s.connection.Close() }()
	_, err = s.next()
	return err
}

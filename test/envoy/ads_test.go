package envoy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// discoveryName is what the certificate of a test's discovery is for.
const discoveryName = "probeshift-discovery.probeshift.svc"

// discovery tells sidecars what a test says.
type discovery struct {
	at       netip.AddrPort
	ca       authority
	endpoint *cache.LinearCache

	mu       sync.Mutex
	requests []*discoveryv3.DeltaDiscoveryRequest
	server   *grpc.Server
}

// newDiscovery is one that does not run yet.
func newDiscovery(t *testing.T) *discovery {
	t.Helper()
	return &discovery{at: listenAt(t, "127.0.50.1"), ca: newAuthority(t), endpoint: cache.NewLinearCache(resource.EndpointType)}
}

// serve runs it with a certificate that the authority signs for a name.
func (d *discovery) serve(t *testing.T, by authority, name string) {
	t.Helper()
	d.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{by.sign(t, name)}, MinVersion: tls.VersionTLS13,
	})))
	ads := server.NewServer(t.Context(), d.endpoint, server.CallbackFuncs{
		StreamDeltaRequestFunc: func(_ int64, r *discoveryv3.DeltaDiscoveryRequest) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.requests = append(d.requests, proto.CloneOf(r))
			return nil
		},
	})
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(d.server, ads)
	l, err := net.Listen("tcp", d.at.String())
	if err != nil {
		t.Fatal(err)
	}
	running := d.server
	go func() { _ = running.Serve(l) }() // ends with Stop
	t.Cleanup(running.Stop)
}

// stop ends all streams at once.
func (d *discovery) stop() { d.server.Stop() }

// asked is what sidecars have asked so far.
func (d *discovery) asked() []*discoveryv3.DeltaDiscoveryRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.requests)
}

// overprovisioned is the factor that discovery's assignments carry: everything goes
// to their endpoints as long as there is one.
const overprovisioned = 10_000

// tell sets the endpoints of a resource.
func (d *discovery) tell(t *testing.T, name string, endpoints ...netip.AddrPort) {
	t.Helper()
	d.tellWith(t, name, overprovisioned, endpoints...)
}

func (d *discovery) tellWith(t *testing.T, name string, factor uint32, endpoints ...netip.AddrPort) {
	t.Helper()
	a := &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Policy:      &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: wrapperspb.UInt32(factor)},
	}
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, e := range endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, endpoint(e.Addr().String(), e.Port()))
	}
	if len(endpoints) > 0 {
		a.Endpoints = []*endpointv3.LocalityLbEndpoints{locality}
	}
	if err := d.endpoint.UpdateResource(name, a); err != nil {
		t.Fatal(err)
	}
}

// tellName has a name where an address belongs.
func (d *discovery) tellName(t *testing.T, name, host string, port uint16) {
	t.Helper()
	if err := d.endpoint.UpdateResource(name, &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{endpoint(host, port)}}},
	}); err != nil {
		t.Fatal(err)
	}
}

func endpoint(host string, port uint16) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
		}}},
	}}}
}

// policy is what a sidecar is told about it.
func (d *discovery) policy() *envoy.Discovery {
	return &envoy.Discovery{
		Host: discoveryName + ".cluster.local.", Port: d.at.Port(), ServerName: discoveryName, CA: d.ca.pem, CheckInterval: 5 * time.Second,
	}
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a certificate for a name.
func (a authority) sign(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// answerAfter waits until a condition holds, and says how long that took.
func answerAfter(ctx context.Context, t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for limit := began.Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) || ctx.Err() != nil {
			t.Fatalf("not after %s: %s", time.Since(began).Round(time.Second), what)
		}
	}
	return time.Since(began)
}

package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// memory is a listener in memory: a connection through it blocks on nothing but
// channels, so that time in a test's bubble goes on when nobody has work to do.
type memory struct {
	connections chan net.Conn
	closed      chan struct{}
	count       atomic.Int32
	ports       atomic.Int32
	// silent: nothing gets through any more, either way.
	silent atomic.Bool
}

// cut cuts the network: what is sent is lost, and nobody is told.
func (m *memory) cut() { m.silent.Store(true) }

func newMemory() *memory {
	return &memory{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// dial connects from an address of its own.
func (m *memory) dial(ctx context.Context, _ string) (net.Conn, error) {
	n := m.count.Add(1)
	return m.dialFrom(ctx, fmt.Sprintf("10.0.%d.%d", n/250, n%250+1))
}

func (m *memory) dialFrom(ctx context.Context, address string) (net.Conn, error) {
	there, here := newPipe(address)
	there.port = 1024 + int(m.ports.Add(1))
	here = lossy{here, &m.silent}
	there.silent = &m.silent
	select {
	case m.connections <- there:
		return here, nil
	case <-m.closed:
		return nil, io.ErrClosedPipe
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.connections:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	close(m.closed)
	return nil
}

func (*memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 18000} }

// lossy is a connection whose writes are lost once the network is cut.
type lossy struct {
	net.Conn
	silent *atomic.Bool
}

func (l lossy) Write(p []byte) (int, error) {
	if l.silent.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

// fromAddress is a connection that says where it comes from.
type fromAddress struct {
	lossy
	address string
	port    int
}

func (f fromAddress) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(f.address), Port: f.port}
}

// bubble is a cluster, a server that watches it, and a network between it and its
// clients, in a time of their own.
type bubble struct {
	*cluster
	server   *Server
	network  *memory
	pair     pair
	registry *prometheus.Registry
	stop     func()
}

// inBubble runs a test in a bubble with a server that is ready. prepare makes the
// cluster as it is before.
func inBubble(t *testing.T, prepare func(*cluster), test func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{cluster: newCluster(t), network: newMemory(), pair: newPair(t)}
		prepare(b.cluster)
		b.start()
		test(t, b)
	})
}

// start starts a server, which ends with the test or by stop.
func (b *bubble) start() {
	b.t.Helper()
	b.registry = prometheus.NewRegistry()
	server, err := newServer(Config{
		Kube:           &rest.Config{},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return b.pair.certificate, nil },
		Metrics:        b.registry,
		Log:            logr.Discard(),
		Now:            time.Now,
	}, plainServices{ServicesGetter: b.CoreV1()}, plainSlices{EndpointSlicesGetter: b.DiscoveryV1()})
	if err != nil {
		b.t.Fatal(err)
	}
	server.listen = func(context.Context) (net.Listener, error) { return b.network, nil }
	b.server = server
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error)
	go func() { ended <- server.Start(ctx) }()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("the server ended with %v", err)
		}
	}
	b.t.Cleanup(b.stop)
	synctest.Wait()
}

// restart ends the server and starts another, with a network of its own.
func (b *bubble) restart(meanwhile func()) {
	b.t.Helper()
	b.stop()
	meanwhile()
	b.network = newMemory()
	b.start()
}

// sidecar connects one that asks for names.
func (b *bubble) sidecar(versions map[string]string, names ...string) *sidecar {
	b.t.Helper()
	return newSidecar(b.t, connect(b.t, b.network.dial, b.pair.roots), versions, names...)
}

// settle lets a time pass, and has the sidecar take what came.
func (s *sidecar) settle(d time.Duration) []*discoverygrpc.DeltaDiscoveryResponse {
	s.t.Helper()
	time.Sleep(d)
	var got []*discoverygrpc.DeltaDiscoveryResponse
	for {
		synctest.Wait()
		select {
		case answer := <-s.answers:
			got = append(got, answer)
			s.take(answer)
		default:
			return got
		}
	}
}

// knows says that a sidecar was told just these addresses of a name; none at all
// is an empty list, no answer is nil.
func (s *sidecar) knows(name string, addresses ...string) {
	s.t.Helper()
	told, ok := s.told[name]
	if !ok {
		s.t.Fatalf("%s is unanswered, not %d addresses", name, len(addresses))
	}
	slices.Sort(addresses)
	if !slices.Equal(told, addresses) {
		s.t.Fatalf("%s is %v, want %v", name, told, addresses)
	}
}

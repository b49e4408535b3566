package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
)

// stopWithin is how long the streams of a server that stops may take to end.
const stopWithin = 2 * time.Second

// Config is what a server needs.
type Config struct {
	// Kube connects to the API server. The rights that are needed are list and
	// watch on services and endpointslices, in all namespaces.
	Kube *rest.Config
	// Address is what to listen on, HOST:PORT.
	Address string
	// GetCertificate gives the serving certificate, for each handshake anew.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// MaxConnectionAge is after how long a connection is ended, give or take a
	// tenth, so that sidecars spread over replicas again. Default: 30 minutes.
	MaxConnectionAge time.Duration
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
	// Log gets one line for what starts and stops, and at most one a minute for
	// each kind of thing that clients do wrong.
	Log logr.Logger
	// Now is the clock: time.Now outside of tests.
	Now func() time.Time
}

// Server serves the endpoints of Services.
type Server struct {
	config  Config
	metrics *metrics
	watched *watched
	names   *names
	quiet   *quiet
	// listen opens what clients connect to.
	listen func(context.Context) (net.Listener, error)
	// listening holds the address once there is one.
	listening atomic.Pointer[net.Addr]
	stopped   atomic.Bool
}

// New returns a server that does nothing yet: it opens no connection. It panics
// when the metrics are registered already, as MustRegister does.
func New(config Config) (*Server, error) {
	if config.Kube == nil || config.GetCertificate == nil || config.Metrics == nil || config.Now == nil {
		return nil, errors.New("discovery needs a connection to the API server, a certificate, a place for metrics and a clock")
	}
	// Services and slices are many: protobuf takes a fraction of JSON's time.
	kube := rest.CopyConfig(config.Kube)
	kube.ContentType = "application/vnd.kubernetes.protobuf"
	kube.AcceptContentTypes = kube.ContentType + ",application/json"
	core, err := coreclient.NewForConfig(kube)
	if err != nil {
		return nil, fmt.Errorf("make a client for Services: %w", err)
	}
	slices, err := discoveryclient.NewForConfig(kube)
	if err != nil {
		return nil, fmt.Errorf("make a client for EndpointSlices: %w", err)
	}
	return newServer(config, core, slices)
}

// newServer returns a server with the given clients.
func newServer(config Config, core coreclient.ServicesGetter, slices discoveryclient.EndpointSlicesGetter) (*Server, error) {
	if config.MaxConnectionAge == 0 {
		config.MaxConnectionAge = defaultMaxConnectionAge
	}
	s := &Server{config: config, metrics: newMetrics(config.Metrics), quiet: newQuiet(config.Log, config.Now)}
	s.listen = func(ctx context.Context) (net.Listener, error) {
		var listen net.ListenConfig
		return listen.Listen(ctx, "tcp", config.Address)
	}
	var err error
	s.watched, err = newWatched(core, slices, s.metrics, s.quiet, config.Now)
	if err != nil {
		return nil, err
	}
	s.names = newNames(s.watched, s.metrics, config.Now)
	return s, nil
}

// Start watches Services and EndpointSlices, listens once all of them are known,
// and returns when ctx has ended and every stream with it, which takes at most
// two seconds. The error says why it could not serve; the end of ctx is none.
func (s *Server) Start(ctx context.Context) error {
	defer s.stopped.Store(true)
	defer s.names.stop()
	// A watch ends with its context alone, also where it is not ctx that ends.
	watching, cancel := context.WithCancel(ctx)
	var informers sync.WaitGroup
	defer awaitEnd(&informers)
	defer cancel()
	synced, err := s.watched.start(watching, &informers, s.names.changed)
	if err != nil {
		return err
	}
	if !synced() {
		return nil
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return fmt.Errorf("listen for sidecars: %w", err)
	}
	return s.serve(ctx, newLimited(listener, s.refuse))
}

// awaitEnd waits for the informers, which end with their context. One that waits
// between two attempts at an API server that is away looks at no context, for up to
// 45 s (client-go's reflector); it is left to itself.
func awaitEnd(informers *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		informers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(stopWithin):
	}
}

// serve answers on a listener until ctx ends.
func (s *Server) serve(ctx context.Context, listener *limited) error {
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	server := newTransport(s.config, s.refuse)
	discoverygrpc.RegisterAggregatedDiscoveryServiceServer(server, newADS(streams, s.names, s.metrics, s.quiet, s.config.Now, gate{s.refuse, listener.owe, listener.turn}))

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	address := listener.Addr()
	s.listening.Store(&address)
	s.metrics.ready.Set(1)
	s.config.Log.Info("serving endpoints", "address", address.String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve sidecars: %w", err)
	case <-ctx.Done():
	}
	s.stopped.Store(true)
	s.metrics.ready.Set(0)
	// Whoever reads is told that the connection ends; whoever doesn't is cut off.
	cut := time.AfterFunc(stopWithin, func() {
		listener.cut()
		server.Stop()
	})
	defer cut.Stop()
	endStreams()
	server.GracefulStop()
	if err := <-failed; err != nil {
		return fmt.Errorf("stop serving sidecars: %w", err)
	}
	return nil
}

// Ready is nil while the server serves what is so, and says otherwise what it waits
// for. A server that cannot follow the cluster goes on with the sidecars that it
// has; new ones are better served by a replica that can.
func (s *Server) Ready() error {
	switch {
	case s.stopped.Load():
		return errors.New("discovery has stopped")
	case s.listening.Load() == nil:
		return s.watched.missing()
	}
	return s.watched.stale()
}

// refuse counts what a client was refused for, and tells of it now and then.
func (s *Server) refuse(why reason, from net.Addr, err error) {
	s.metrics.refused.WithLabelValues(string(why)).Inc()
	s.quiet.Info(string(why), "refused a client of discovery", "reason", string(why), "from", from.String(), "error", err.Error())
}

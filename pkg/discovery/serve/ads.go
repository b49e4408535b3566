package serve

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/config"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"golang.org/x/time/rate"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// requestsPerSecond and requestsAtOnce bound how fast requests of one stream
	// are read. A sidecar sends one at its start and one for each answer; whoever
	// sends more waits.
	requestsPerSecond = 100
	requestsAtOnce    = 200
)

// ads is the one service that there is: aggregated discovery, in both forms.
type ads struct {
	discoverygrpc.UnimplementedAggregatedDiscoveryServiceServer
	delta delta.Server
	world sotw.Server
	gate  gate
}

// gate is where clients are refused.
type gate struct {
	// refused is told of it.
	refused func(reason, net.Addr, error)
	// owe says whether an answer of so many bytes may be sent to an address now.
	owe func(net.Addr, int) bool
	// turn waits until an address may open one stream more.
	turn func(context.Context, net.Addr) error
}

// newADS returns the service; its streams end with ctx.
func newADS(ctx context.Context, of *names, m *metrics, log *quiet, now func() time.Time, at gate) *ads {
	only := onlyNamed{of.cache}
	// The two number their streams apart, so each has callbacks of its own.
	forms := [2]*callbacks{}
	for i := range forms {
		forms[i] = &callbacks{names: of, metrics: m, quiet: log, now: now, streams: map[int64]*stream{}}
	}
	return &ads{
		gate:  at,
		delta: delta.NewServer(ctx, only, deltaCallbacks{forms[0]}, config.DeactivateLegacyWildcard()),
		world: sotw.NewServer(ctx, only, worldCallbacks{forms[1]}, config.DeactivateLegacyWildcard()),
	}
}

// DeltaAggregatedResources serves a stream of the delta form.
func (a *ads) DeltaAggregatedResources(s discoverygrpc.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	if err := a.gate.enter(s.Context()); err != nil {
		return err
	}
	return a.delta.DeltaStreamHandler(paced[*discoverygrpc.DeltaDiscoveryRequest, *discoverygrpc.DeltaDiscoveryResponse]{s, newLimiter(), a.gate}, resourcev3.AnyType)
}

// StreamAggregatedResources serves a stream of the state-of-the-world form.
func (a *ads) StreamAggregatedResources(s discoverygrpc.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	if err := a.gate.enter(s.Context()); err != nil {
		return err
	}
	return a.world.StreamHandler(paced[*discoverygrpc.DiscoveryRequest, *discoverygrpc.DiscoveryResponse]{s, newLimiter(), a.gate}, resourcev3.AnyType)
}

// enter waits until a client may open a stream.
func (g gate) enter(ctx context.Context) error {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	return g.turn(ctx, from.Addr)
}

// both is a stream of either form.
type both[Request, Response any] interface {
	grpc.ServerStream
	Send(Response) error
	Recv() (Request, error)
}

// paced is a stream whose requests are read no faster than a limit.
type paced[Request, Response any] struct {
	both[Request, Response]
	limit *rate.Limiter
	gate  gate
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(requestsPerSecond, requestsAtOnce) }

// Recv returns the next request, when it is its turn.
func (p paced[Request, Response]) Recv() (Request, error) {
	request, err := p.both.Recv()
	if err != nil {
		if from, ok := peer.FromContext(p.Context()); ok && status.Code(err) == codes.ResourceExhausted {
			p.gate.refused(requestTooLarge, from.Addr, err)
		}
		return request, err
	}
	return request, p.limit.Wait(p.Context())
}

// Send sends an answer, unless too much waits for the client's address already:
// whoever does not read must not fill the memory.
func (p paced[Request, Response]) Send(answer Response) error {
	to, known := peer.FromContext(p.Context())
	message, ok := any(answer).(proto.Message)
	if known && ok && !p.gate.owe(to.Addr, proto.Size(message)) {
		err := refuse(slow, codes.ResourceExhausted, "answers of %d bytes wait for this address to read them", maxOwed)
		p.gate.refused(slow, to.Addr, err)
		return err
	}
	return p.both.Send(answer)
}

// onlyNamed is the cache without its watches of everything.
type onlyNamed struct{ of *cachev3.LinearCache }

var (
	_ cachev3.ConfigWatcher = onlyNamed{}

	errWildcard = errors.New("everything was asked for")
)

// CreateWatch watches what a state-of-the-world stream has named.
func (o onlyNamed) CreateWatch(r *cachev3.Request, s cachev3.Subscription, to chan cachev3.Response) (func(), error) {
	if s.IsWildcard() {
		return nil, errWildcard
	}
	return o.of.CreateWatch(r, s, to)
}

// CreateDeltaWatch watches what a delta stream has named.
func (o onlyNamed) CreateDeltaWatch(r *cachev3.DeltaRequest, s cachev3.Subscription, to chan cachev3.DeltaResponse) (func(), error) {
	if s.IsWildcard() {
		return nil, errWildcard
	}
	return o.of.CreateDeltaWatch(r, s, to)
}

// callbacks are what the library tells of streams: that they open, what they ask
// for, what is sent, that they end; each from the goroutine of its stream.
type callbacks struct {
	names   *names
	metrics *metrics
	quiet   *quiet
	now     func() time.Time

	mu      sync.Mutex
	streams map[int64]*stream
}

func (c *callbacks) open(ctx context.Context, id int64) {
	s := &stream{names: map[string]asked{}}
	if from, ok := peer.FromContext(ctx); ok {
		s.from = from.Addr.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[id] = s
	c.metrics.streams.Inc()
}

func (c *callbacks) closed(id int64) {
	s := c.stream(id)
	c.names.leave(s.all())
	c.metrics.streams.Dec()
	c.metrics.subscriptions.Sub(float64(len(s.names)))
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, id)
}

func (c *callbacks) stream(id int64) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// ask checks a request and then has its names answered.
func (c *callbacks) ask(s *stream, err error, texts []string, known func(string) bool, silent func(string)) error {
	before := len(s.names)
	if err == nil {
		err = s.ask(c.names, texts, known, silent, func(text string, why reason) {
			c.metrics.refused.WithLabelValues(string(why)).Inc()
			c.quiet.Info(string(why), "a client of discovery gets no endpoints for a name", "reason", string(why), "name", text, "from", s.from)
		})
	}
	c.metrics.subscriptions.Add(float64(len(s.names) - before))
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		c.metrics.refused.WithLabelValues(string(refused.why)).Inc()
		c.quiet.Info(string(refused.why), "refused a client of discovery", "reason", string(refused.why), "from", s.from, "error", refused.text)
	}
	return err
}

// rejected takes note that a client could not use what it was sent.
func (c *callbacks) rejected(s *stream, problem *rpcstatus.Status) {
	if problem == nil {
		return
	}
	c.metrics.rejected.Inc()
	c.quiet.Info("rejected", "a sidecar rejected an assignment and keeps the one before", "from", s.from, "error", shortened(problem.GetMessage()))
}

// deltaCallbacks are the callbacks of the delta form.
type deltaCallbacks struct{ *callbacks }

var _ delta.Callbacks = deltaCallbacks{}

// OnDeltaStreamOpen begins a stream.
func (c deltaCallbacks) OnDeltaStreamOpen(ctx context.Context, id int64, _ string) error {
	c.open(ctx, id)
	return nil
}

// OnDeltaStreamClosed ends one.
func (c deltaCallbacks) OnDeltaStreamClosed(id int64, _ *corev3.Node) { c.closed(id) }

// OnStreamDeltaRequest sees a request before the library does.
func (c deltaCallbacks) OnStreamDeltaRequest(id int64, request *discoverygrpc.DeltaDiscoveryRequest) error {
	s := c.stream(id)
	c.rejected(s, request.GetErrorDetail())
	versions := request.GetInitialResourceVersions()
	known := func(text string) bool {
		_, ok := versions[text]
		return ok
	}
	// Where a client knows a name that there is no answer for, the library would
	// say that it was removed, on which Envoy keeps its hosts. The name is left to
	// be told that it has no endpoints, when that is certain.
	forget := func(text string) { delete(versions, text) }
	err := c.ask(s, checkDelta(request, len(s.names) == 0), request.GetResourceNamesSubscribe(), known, forget)
	for text := range versions {
		if _, ok := s.names[text]; !ok {
			forget(text)
		}
	}
	return err
}

// OnStreamDeltaResponse sees what is sent.
func (c deltaCallbacks) OnStreamDeltaResponse(id int64, _ *discoverygrpc.DeltaDiscoveryRequest, response *discoverygrpc.DeltaDiscoveryResponse) {
	s, now := c.stream(id), c.now()
	c.metrics.pushes.Add(float64(len(response.GetResources())))
	for _, r := range response.GetResources() {
		if took, ok := s.since(r.GetName(), now); ok {
			c.metrics.took.Observe(took.Seconds())
		}
	}
}

// worldCallbacks are the callbacks of the state-of-the-world form.
type worldCallbacks struct{ *callbacks }

var _ sotw.Callbacks = worldCallbacks{}

// OnStreamOpen begins a stream.
func (c worldCallbacks) OnStreamOpen(ctx context.Context, id int64, _ string) error {
	c.open(ctx, id)
	return nil
}

// OnStreamClosed ends one.
func (c worldCallbacks) OnStreamClosed(id int64, _ *corev3.Node) { c.closed(id) }

// OnStreamRequest sees a request before the library does.
func (c worldCallbacks) OnStreamRequest(id int64, request *discoverygrpc.DiscoveryRequest) error {
	s := c.stream(id)
	c.rejected(s, request.GetErrorDetail())
	// A client that comes back tells a version, and not of which names.
	back := len(s.names) == 0 && request.GetVersionInfo() != ""
	return c.ask(s, checkWorld(request), request.GetResourceNames(),
		func(string) bool { return back }, func(string) {})
}

// OnStreamResponse sees what is sent, in which names are not told apart.
func (c worldCallbacks) OnStreamResponse(_ context.Context, _ int64, _ *discoverygrpc.DiscoveryRequest, response *discoverygrpc.DiscoveryResponse) {
	c.metrics.pushes.Add(float64(len(response.GetResources())))
}

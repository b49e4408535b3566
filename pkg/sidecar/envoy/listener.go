package envoy

import (
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// inspectionTimeout is how long a connection may stay silent before it counts
// as one that does not speak HTTP. With 200 ms a client that wrote its preface
// after 250 ms, as a JVM does while it starts, was passed through and so pinned
// to one Pod for the life of its connection.
const inspectionTimeout = 5 * time.Second

// listener accepts the application's connections to one upstream.
func (p *packer) listener(u Upstream) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:    u.Name,
		Address: address(u.Listen),
		// With SO_REUSEPORT a sidecar and an application that runs under the same
		// UID could both listen on the port, and the kernel would split the
		// connections between them. Without it the second one fails loudly.
		EnableReusePort: wrapperspb.Bool(false),
	}
	switch u.Protocol {
	case HTTP:
		// No inspection: a connection may stay silent for as long as it likes and is
		// never passed through.
		l.FilterChains = []*listenerv3.FilterChain{{Filters: p.http(u)}}
	case TCP:
		// No inspection: in a protocol in which the server speaks first it would cost
		// every connection the whole time-out.
		l.FilterChains = []*listenerv3.FilterChain{{Filters: p.tcp(u)}}
	case Auto:
		l.ListenerFilters = []*listenerv3.ListenerFilter{{
			Name:       "envoy.filters.listener.http_inspector",
			ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: p.pack(&httpinspectorv3.HttpInspector{})},
		}}
		l.ListenerFiltersTimeout = durationpb.New(inspectionTimeout)
		// A client that waits for the server to speak first is served, late, rather
		// than cut off.
		l.ContinueOnListenerFiltersTimeout = true
		l.FilterChains = []*listenerv3.FilterChain{{
			// HTTP/1.0 is not here: Envoy answers it with 426, so it is passed through.
			FilterChainMatch: &listenerv3.FilterChainMatch{ApplicationProtocols: []string{"http/1.1", "h2c"}},
			Filters:          p.http(u),
		}}
		// Everything else, TLS of the application included.
		l.DefaultFilterChain = &listenerv3.FilterChain{Filters: p.tcp(u)}
	}
	return l
}

func address(a netip.AddrPort) *corev3.Address {
	return socket(a.Addr().String(), a.Port())
}

// socket is a TCP address: host is an IP address, or a name for DNS.
func socket(host string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

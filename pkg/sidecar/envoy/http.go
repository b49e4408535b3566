package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	grpcstatsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// http is the filter that reads requests and sends each to a member of the
// upstream's pool.
func (p *packer) http(u Upstream) []*listenerv3.Filter {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     statName(u.Name),
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: p.routes(u)},
		HttpFilters: []*hcmv3.HttpFilter{
			// gRPC's status is in the trailers of a 200: without this filter a service
			// that only fails would look healthy.
			httpFilter("envoy.filters.http.grpc_stats", p.pack(&grpcstatsv3.FilterConfig{})),
			// suppress_envoy_headers: the application's server and client see no
			// x-envoy-upstream-service-time and the like.
			httpFilter("envoy.filters.http.router", p.pack(&routerv3.Router{SuppressEnvoyHeaders: true})),
		},
		HttpProtocolOptions: p.http1(),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			// The default closes a connection after an idle hour; a client that sends
			// at that moment loses its request. When to close is the application's
			// and its server's affair.
			IdleTimeout:     durationpb.New(0),
			MaxHeadersCount: wrapperspb.UInt32(maxHeaders),
		},
		Http2ProtocolOptions: http2Downstream(),
		MaxRequestHeadersKb:  wrapperspb.UInt32(maxHeadersKB),
		// The default resets a stream after five silent minutes.
		StreamIdleTimeout: durationpb.New(0),
		// Headers pass as they are (paths do by default): no "server: envoy", no request ID of Envoy's own,
		// no address of ours in x-forwarded-for. Two have no switch: a request
		// without x-forwarded-proto gets it, and so does a response without date.
		ServerHeaderTransformation: hcmv3.HttpConnectionManager_PASS_THROUGH,
		GenerateRequestId:          wrapperspb.Bool(false),
		SkipXffAppend:              true,
		// Without this an upgrade to WebSocket is refused with 403.
		UpgradeConfigs: []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
	}
	return []*listenerv3.Filter{{
		Name:       "envoy.filters.network.http_connection_manager",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: p.pack(manager)},
	}}
}

func httpFilter(name string, config *anypb.Any) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}}
}

// routes sends everything to the one upstream of the listener: the address that
// a client dialled says which, not what it calls the server.
func (p *packer) routes(u Upstream) *routev3.RouteConfiguration {
	host := &routev3.VirtualHost{
		Name:    "all",
		Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: u.Members.target(u.Name)},
				// The default cuts every call, streams included, after 15 s. Deadlines are
				// the caller's to set; gRPC carries them to the server.
				Timeout: durationpb.New(0),
				// When a deadline passes both the server and Envoy end the call. Were the
				// server first, its reset would become a 503 here: UNAVAILABLE to the
				// caller, and a failure of the host in the eyes of ejection.
				MaxStreamDuration: &routev3.RouteAction_MaxStreamDuration{GrpcTimeoutHeaderMax: durationpb.New(0)},
			}},
		}},
	}
	if u.Retries > 0 {
		host.RetryPolicy = p.retries(u.Retries)
		// A request is kept for another attempt only up to here, so that large
		// messages do not pile up in the sidecar's memory.
		host.RequestBodyBufferLimit = wrapperspb.UInt64(64 << 10)
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{host}}
}

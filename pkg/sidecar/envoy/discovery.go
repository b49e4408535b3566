package envoy

import (
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// NodeZone stands for the zone of the Pod's node in the name of a resource, behind
// "@". The kubelet writes it into the container's arguments from the variable
// NODE_ZONE, as nothing where it is not known.
const NodeZone = "$(NODE_ZONE)"

const (
	// discoveryPool is the name of the cluster of discovery's own servers. No
	// upstream has it: theirs have a port.
	discoveryPool = "discovery"

	// minReconnect and maxReconnect are the bounds of the pause before a stream is
	// opened again. With Envoy's default of up to 30 s a discovery that came back
	// was not followed within 10 s.
	minReconnect = 500 * time.Millisecond
	maxReconnect = 5 * time.Second

	// pingInterval and pingTimeout find a discovery that hangs. Its kernel still
	// acknowledges what arrives, so that TCP finds nothing wrong.
	pingInterval = 15 * time.Second
	pingTimeout  = 5 * time.Second

	// discoveryConnectTimeout covers the TLS handshake too, which takes its time
	// when all sidecars of a cluster come back at once.
	discoveryConnectTimeout = 2 * time.Second

	// discoveryRefresh is the time between two looks at discovery's name. A name
	// that is not there is asked for again only then, so it is part of the time in
	// which a discovery that came back is followed.
	discoveryRefresh = 5 * time.Second
)

// node is who the sidecar says it is; Envoy opens no stream without. It is the same
// for all: discovery serves whoever asks, and knows the Pod by its address.
func node() *corev3.Node {
	return &corev3.Node{Id: "sidecar", Cluster: "probeshift"}
}

// follow opens one stream to discovery, on which it tells what changed.
func follow() *bootstrapv3.Bootstrap_DynamicResources {
	return &bootstrapv3.Bootstrap_DynamicResources{AdsConfig: &corev3.ApiConfigSource{
		// Delta: a change of one pool does not send the others again.
		ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
		TransportApiVersion: corev3.ApiVersion_V3,
		// Envoy tells each of its extensions with its name, which takes 61 kB: by
		// default in every message, acknowledgements included.
		SetNodeOnFirstMessageOnly: true,
		GrpcServices: []*corev3.GrpcService{{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: discoveryPool,
				RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
					BaseInterval: durationpb.New(minReconnect),
					MaxInterval:  durationpb.New(maxReconnect),
				}},
			}},
		}},
	}}
}

// discovery is the cluster of discovery's own servers.
func (p *packer) discovery(d Discovery, ipv6 bool) *clusterv3.Cluster {
	members := Members{Host: d.Host, Port: d.Port, Refresh: discoveryRefresh}
	return &clusterv3.Cluster{
		Name:                 discoveryPool,
		ClusterDiscoveryType: p.dns(members, ipv6),
		LoadAssignment:       assignment(discoveryPool, members),
		ConnectTimeout:       durationpb.New(discoveryConnectTimeout),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			httpProtocolOptions: p.pack(&upstreamhttpv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
					ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
						ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
							Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
								Interval: durationpb.New(pingInterval),
								Timeout:  durationpb.New(pingTimeout),
							}},
						},
					},
				},
			}),
		},
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: p.pack(authenticated(d))},
		},
	}
}

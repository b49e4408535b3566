package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// maxConnectAttempts is how many hosts a new connection tries. With Envoy's
// default of one the application sees a connection that is accepted and closed
// whenever the host that was drawn has just gone.
const maxConnectAttempts = 4

// tcp is the filter that passes a connection through to one member.
func (p *packer) tcp(u Upstream) []*listenerv3.Filter {
	return []*listenerv3.Filter{{
		Name: "envoy.filters.network.tcp_proxy",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: p.pack(&tcpproxyv3.TcpProxy{
			StatPrefix:       statName(u.Name),
			ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: u.Members.target(connectionPoolName(u))},
			// The default closes a connection after an idle hour; a pool of database
			// connections is idle at night.
			IdleTimeout:        durationpb.New(0),
			MaxConnectAttempts: wrapperspb.UInt32(maxConnectAttempts),
		})},
	}}
}

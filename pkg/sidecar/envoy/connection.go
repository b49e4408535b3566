package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// keepalive finds peers that vanished without a word. HTTP/2 pings would not do:
// a grpc-go server counts them as abuse when they come more often than every
// five minutes, and closes the connection.
func keepalive() *clusterv3.UpstreamConnectionOptions {
	return &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
		KeepaliveTime:     wrapperspb.UInt32(5), // seconds
		KeepaliveInterval: wrapperspb.UInt32(2), // seconds
		KeepaliveProbes:   wrapperspb.UInt32(3),
	}}
}

// giveUpOnSilence sets TCP_USER_TIMEOUT: a connection whose bytes are not
// acknowledged for 5 s is closed. Without it Linux sends them again for a quarter
// of an hour, and every request on the connection to a lost node fails for as
// long as DNS names its Pods.
func giveUpOnSilence() *corev3.BindConfig {
	return &corev3.BindConfig{SocketOptions: []*corev3.SocketOption{{
		Level: 6,  // IPPROTO_TCP
		Name:  18, // TCP_USER_TIMEOUT, in milliseconds
		Value: &corev3.SocketOption_IntValue{IntValue: 5000},
		State: corev3.SocketOption_STATE_PREBIND,
	}}}
}

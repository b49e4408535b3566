package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	preservecasev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/header_formatters/preserve_case/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// maxHeadersKB is the most that Envoy takes of headers, in KiB. Its default of 60
	// refuses requests with large metadata, which a direct call would carry.
	maxHeadersKB = 8192
	// maxHeaderKB is the most that Envoy takes of one header, in KiB. With its
	// default of 64 a large binary value closes the connection.
	maxHeaderKB = 256
	// maxHeaders is the number of headers in a request or a response. Envoy's
	// default of 100 answers 431, and resets streams, where a direct call works.
	maxHeaders = 10_000
	// maxStreams is the most that HTTP/2 has. Envoy's default of 1024 makes a
	// client with more open streams on its one connection wait.
	maxStreams = 1<<31 - 1
)

// http2Downstream is what the application's own connection may do.
func http2Downstream() *corev3.Http2ProtocolOptions {
	o := http2()
	o.MaxConcurrentStreams = wrapperspb.UInt32(maxStreams)
	// Envoy closes a connection, and so fails every call on it, once the client has
	// reset 1000 streams faster than 33 a second: a guard against attackers. Here
	// deadlines that pass do just that.
	o.StreamResetBurst = wrapperspb.UInt64(unlimited)
	o.StreamResetRate = wrapperspb.UInt64(unlimited)
	return o
}

const (
	// streamWindow is how much of a stream the sidecar holds for a reader that is
	// slow, in bytes. With Envoy's default of 16 MiB a hundred streams that nobody
	// reads took 590 MB, and so the sidecar's life. At a round trip of a
	// millisecond this is still 256 MB a second.
	streamWindow = 256 << 10
	// connectionWindow is the same for all streams of a connection. Once it is
	// full every other call on the connection waits too, and with the default of
	// 24 MiB two such streams fill it.
	connectionWindow = 64 << 20
)

// http2 is what both sides have in common.
func http2() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		MaxHeaderFieldSizeKb:        wrapperspb.UInt32(maxHeaderKB),
		InitialStreamWindowSize:     wrapperspb.UInt32(streamWindow),
		InitialConnectionWindowSize: wrapperspb.UInt32(connectionWindow),
	}
}

// http1 is what both sides have in common.
func (p *packer) http1() *corev3.Http1ProtocolOptions {
	return &corev3.Http1ProtocolOptions{
		// By default names are written in small letters and phrases as in the
		// standard. Neither matters by the standard; it does to some old programs.
		HeaderKeyFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat{
			HeaderFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat_StatefulFormatter{
				StatefulFormatter: &corev3.TypedExtensionConfig{
					Name:        "envoy.http.stateful_header_formatters.preserve_case",
					TypedConfig: p.pack(&preservecasev3.PreserveCaseFormatterConfig{ForwardReasonPhrase: true}),
				},
			},
		},
		// By default trailers are dropped.
		EnableTrailers: true,
	}
}

// httpUpstream speaks to a member the version of HTTP that the client spoke:
// gRPC stays HTTP/2, a server of HTTP/1.1 is not greeted with HTTP/2.
func (p *packer) httpUpstream() *upstreamhttpv3.HttpProtocolOptions {
	return &upstreamhttpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			MaxHeadersCount: wrapperspb.UInt32(maxHeaders),
			// Large trailers, such as the details of a gRPC status, count as well.
			MaxResponseHeadersKb: wrapperspb.UInt32(maxHeadersKB),
		},
		UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
			UseDownstreamProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
				HttpProtocolOptions:  p.http1(),
				Http2ProtocolOptions: http2(),
			},
		},
	}
}

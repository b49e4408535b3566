package serve

import (
	"bytes"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

func TestARequestIsReadWithoutItsNode(t *testing.T) {
	node := &corev3.Node{Id: "sidecar", Extensions: []*corev3.Extension{{Name: "envoy.filters.http.router"}}}
	for name, tc := range map[string]struct{ sent, read, want proto.Message }{
		"delta": {
			&deltaRequest{Node: node, TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}, InitialResourceVersions: map[string]string{greeter: "1"}},
			&deltaRequest{},
			&deltaRequest{TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{greeter}, InitialResourceVersions: map[string]string{greeter: "1"}},
		},
		"the older form": {
			&discoverygrpc.DiscoveryRequest{Node: node, TypeUrl: resourcev3.EndpointType, ResourceNames: []string{greeter}, VersionInfo: "1"},
			&discoverygrpc.DiscoveryRequest{},
			&discoverygrpc.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: []string{greeter}, VersionInfo: "1"},
		},
		"another message": {node, &corev3.Node{}, node},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := proto.Marshal(tc.sent)
			if err != nil {
				t.Fatal(err)
			}
			if err := newNodeless().Unmarshal(mem.BufferSlice{mem.SliceBuffer(content)}, tc.read); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(tc.read, tc.want) {
				t.Errorf("it was read as %v, want %v", tc.read, tc.want)
			}
		})
	}
	for _, broken := range [][]byte{{0x0a}, {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, bytes.Repeat([]byte{0xff}, 100), {0x1a, 2, 0xff, 0xfe}} {
		if err := newNodeless().Unmarshal(mem.BufferSlice{mem.SliceBuffer(broken)}, &deltaRequest{}); err == nil {
			t.Errorf("%x was read", broken)
		}
	}
}

package serve

import (
	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The fields of requests in which a client tells who it is.
const (
	nodeOfDelta protowire.Number = 1
	nodeOfWorld protowire.Number = 2
)

// nodeless is gRPC's codec, but for the node in requests, which it passes over.
// Envoy's tells of every extension that was compiled in: 60 KiB, which take three
// times as much when they are read. Nothing here depends on them, and when all
// sidecars come at once they would be most of the memory.
type nodeless struct{ encoding.CodecV2 }

func newNodeless() nodeless { return nodeless{encoding.GetCodecV2(grpcproto.Name)} }

// Unmarshal reads a message.
func (n nodeless) Unmarshal(data mem.BufferSlice, v any) error {
	var message proto.Message
	var node protowire.Number
	switch m := v.(type) {
	case *discoverygrpc.DeltaDiscoveryRequest:
		message, node = m, nodeOfDelta
	case *discoverygrpc.DiscoveryRequest:
		message, node = m, nodeOfWorld
	default:
		return n.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	rest, err := without(node, buffer.ReadOnlyData())
	if err != nil {
		return err
	}
	return proto.Unmarshal(rest, message)
}

// without is a message without one of its fields.
func without(field protowire.Number, content []byte) ([]byte, error) {
	var rest []byte
	for len(content) > 0 {
		number, _, length := protowire.ConsumeField(content)
		if length < 0 {
			return nil, protowire.ParseError(length)
		}
		if number != field {
			rest = append(rest, content[:length]...)
		}
		content = content[length:]
	}
	return rest, nil
}

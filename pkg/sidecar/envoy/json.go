package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// JSON returns a bootstrap as compact JSON, always the same for the same
// bootstrap, with the field names of Envoy's documentation.
func JSON(b *bootstrapv3.Bootstrap) (string, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("write the bootstrap as JSON: %w", err)
	}
	// protojson varies its white space on purpose.
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return "", fmt.Errorf("compact the bootstrap: %w", err)
	}
	return compact.String(), nil
}

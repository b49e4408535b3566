package envoy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

const (
	// maxArgument is the longest argument that Linux passes to a program
	// (MAX_ARG_STRLEN: 32 pages of 4 KiB), less its final zero byte and what the
	// Pod's address may add to it.
	maxArgument = 32*4096 - 1 - 64
	// maxZone is the longest zone: the value of a label.
	maxZone = 63
)

// ErrTooLong is Argument's when there are too many upstreams for one Pod.
var ErrTooLong = errors.New("too long for an argument")

// Argument returns a bootstrap as the value of Envoy's --config-yaml among a
// container's arguments, in which the kubelet expands $(POD_IP), $(NODE_ZONE)
// behind the names of resources, and nothing else. It is JSON in which a value that occurs more than once is written once,
// by YAML's anchors and aliases. It fails with ErrTooLong when Linux would refuse
// it.
func Argument(b *bootstrapv3.Bootstrap) (string, error) {
	text, err := JSON(b)
	if err != nil {
		return "", err
	}
	text, err = share(escape(text))
	if err != nil {
		return "", err
	}
	if size := len(text) + strings.Count(text, NodeZone)*(maxZone-len(NodeZone)); size > maxArgument {
		return "", fmt.Errorf("%w: the configuration of %d upstreams takes %d bytes, and Linux passes at most %d:"+
			" name fewer upstreams, or set the protocol to http or tcp, which takes less than auto",
			ErrTooLong, len(b.GetStaticResources().GetListeners()), size, maxArgument)
	}
	return text, nil
}

// zone is the end of a resource's name, escaped. No gRPC health check looks like
// it, whose service comes first in its object.
var zone = regexp.MustCompile(`(\},"service_name":"[^"$]+@)\$(\$\(NODE_ZONE\)")`)

// escape doubles each "$", which is how the kubelet is told to leave it alone,
// except in the Pod's address and zone. The quotes around those are JSON's own, so
// nothing that a user wrote can look like them.
func escape(text string) string {
	const field = `"address":"`
	escaped := strings.ReplaceAll(text, "$", "$$")
	escaped = strings.ReplaceAll(escaped, field+"$"+podIP+`"`, field+podIP+`"`)
	return zone.ReplaceAllString(escaped, "${1}${2}")
}

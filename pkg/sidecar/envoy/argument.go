package envoy

import (
	"errors"
	"fmt"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

// maxArgument is the longest argument that Linux passes to a program
// (MAX_ARG_STRLEN: 32 pages of 4 KiB), less its final zero byte and what the
// Pod's address may add to it.
const maxArgument = 32*4096 - 1 - 64

// ErrTooLong is Argument's when there are too many upstreams for one Pod.
var ErrTooLong = errors.New("too long for an argument")

// Argument returns a bootstrap as the value of Envoy's --config-yaml among a
// container's arguments, in which the kubelet expands $(POD_IP) and nothing
// else. It is JSON in which a value that occurs more than once is written once,
// by YAML's anchors and aliases. It fails with ErrTooLong when Linux would refuse
// it.
func Argument(b *bootstrapv3.Bootstrap) (string, error) {
	text, err := JSON(b)
	if err != nil {
		return "", err
	}
	text, err = share(text)
	if err != nil {
		return "", err
	}
	text = escape(text)
	if len(text) > maxArgument {
		return "", fmt.Errorf("%w: the configuration of %d upstreams takes %d bytes, and Linux passes at most %d:"+
			" name fewer upstreams, or set the protocol to http or tcp, which takes less than auto",
			ErrTooLong, len(b.GetStaticResources().GetListeners()), len(text), maxArgument)
	}
	return text, nil
}

// escape doubles each "$", which is how the kubelet is told to leave it alone,
// except in the Pod's address. The quotes around that are JSON's own, so nothing
// that a user wrote can look like it.
func escape(text string) string {
	const field = `"address":"`
	escaped := strings.ReplaceAll(text, "$", "$$")
	return strings.ReplaceAll(escaped, field+"$"+podIP+`"`, field+podIP+`"`)
}

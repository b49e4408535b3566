package envoy

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// Envoy's rules about a message are not looked at where another message holds it
// as an Any, so each is validated when it is packed, and all problems are kept.
func TestWhatIsPackedIsValidated(t *testing.T) {
	var p packer
	p.pack(&tcpproxyv3.TcpProxy{})
	p.check("a cluster", &clusterv3.Cluster{})
	if len(p.errs) != 2 {
		t.Fatalf("got %d errors, want 2: %v", len(p.errs), p.errs)
	}
	for i, want := range []string{"TcpProxy.StatPrefix", "Cluster.Name"} {
		if !strings.Contains(p.errs[i].Error(), want) {
			t.Errorf("the error does not name %s: %v", want, p.errs[i])
		}
	}
}

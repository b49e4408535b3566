package envoy

import (
	"testing"
	"time"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// What is behind an upstream whose protocol is found out may be a database, which a
// connection that says nothing every few seconds would do harm to.
func TestMembersThatNeverHadARequestAreHardlyAsked(t *testing.T) {
	for protocol, wantMore := range map[envoy.Protocol]bool{envoy.Auto: false, envoy.HTTP: true} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			pods := runPods(t, "127.0.54.1", "127.0.54.2", "127.0.54.3")
			d := newDiscovery(t)
			d.serve(t, d.ca, discoveryName)
			d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
			c := startClientOf(t, d, pods[0], protocol)
			answerAfter(t.Context(), t, "the first check of both", func() bool { return c.proxy.cluster("health_check_success", "") >= 2 })
			time.Sleep(7 * time.Second) // the usual interval and its jitter are 6
			got := c.proxy.cluster("health_check_attempt", "")
			t.Logf("two members without a request were asked %v times", got)
			if (got > 2) != wantMore {
				t.Errorf("two members were asked %v times, want more than once each: %v", got, wantMore)
			}
		})
	}
}

package admission

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestDiscoveryIsAskedForEachPod(t *testing.T) {
	var known *sidecar.Discovery
	var seen []*sidecar.Discovery
	f := newFixture(func(c *Config) {
		c.Sidecars = &Sidecars{
			Discovery: func() *sidecar.Discovery { return known },
			Inject: func(_ *corev1.Pod, _ string, policy sidecar.Policy) sidecar.Result {
				seen = append(seen, policy.Discovery)
				return sidecar.Result{}
			},
		}
	})
	answerTo(t, f, reviewOf(clientPod))
	known = &sidecar.Discovery{Host: "discovery.example.com.", Port: 18000, CheckInterval: 5 * time.Second}
	answerTo(t, f, reviewOf(clientPod))
	if len(seen) != 2 || seen[0] == nil || *seen[0] != (sidecar.Discovery{}) || seen[1] != known {
		t.Errorf("Inject was told of %v, want first of one that nobody can use, then of %v", seen, known)
	}
}

// A discovery that is not known keeps no Pod from its sidecar, but its owner hears
// that the Pods of a Service with a ClusterIP are not balanced.
func TestADiscoveryThatIsNotKnownIsAWarning(t *testing.T) {
	f := newFixture(withSidecars, func(c *Config) {
		c.Sidecars.Discovery = func() *sidecar.Discovery { return nil }
	})
	answer := answerTo(t, f, reviewOf(clientPod))
	if got := strings.Join(answer.Warnings, "\n"); !answer.Allowed || !strings.Contains(got, "probeshift: dns-only: discovery is not known") {
		t.Errorf("allowed %v with the warnings %q", answer.Allowed, got)
	}
	if got := sidecars(f, sidecar.Injected); got != 1 {
		t.Errorf("%v counted as injected", got)
	}
	if got := answer.AuditAnnotations["sidecar-warnings"]; !strings.Contains(got, "dns-only") {
		t.Errorf("the audit log says %q", got)
	}
	if !strings.Contains(f.log.String(), `"members":"dns"`) {
		t.Errorf("the log does not tell where the members come from: %s", f.log.String())
	}
}

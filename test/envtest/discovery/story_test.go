package discovery

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/probeshift/probeshift/test/envtest/installed"
)

// name is what the sidecars of this package ask for.
const name = "shop/greeter:9000"

// story is what happens to one cluster, in this order.
type story struct {
	*cluster
	// away is between the API server and the first discovery.
	away          *proxy
	first, second *process
	webhook       *process
}

func TestDiscoveryAndTheWebhookTogether(t *testing.T) {
	c := startCluster(t)
	c.install(t, "10-namespace.yaml", "20-serviceaccount.yaml", "30-rbac.yaml")
	c.install(t, "components/lb-discovery/serviceaccount.yaml", "components/lb-discovery/rbac.yaml")
	c.namespace(t, "shop")
	c.granted(t, discoveryAccount, authorizationv1.ResourceAttributes{Group: "discovery.k8s.io", Resource: "endpointslices", Verb: "list"})
	c.granted(t, webhookAccount, authorizationv1.ResourceAttributes{Namespace: ownNamespace, Resource: "configmaps", Name: caName, Verb: "list"})

	s := &story{cluster: c, away: startProxy(t, c.config.Host)}
	s.first = newDiscovery(t, c.kubeconfig(t, discoveryAccount, s.away.url))
	s.second = newDiscovery(t, c.kubeconfig(t, discoveryAccount, c.config.Host))
	s.webhook = newWebhook(t, c.kubeconfig(t, webhookAccount, c.config.Host))
	for _, chapter := range []struct {
		sentence string
		proof    func(*story, *testing.T)
	}{
		{"a discovery without rights names what it may not read", (*story).aDiscoveryWithoutRightsSaysSo},
		{"without a CA new sidecars work from DNS", (*story).withoutACANewSidecarsWorkFromDNS},
		{"discovery makes its CA and publishes it", (*story).discoveryPublishesItsCA},
		{"a second replica shares the CA", (*story).aSecondReplicaSharesTheCA},
		{"new sidecars get the CA", (*story).newSidecarsGetTheCA},
		{"a sidecar follows a Service", (*story).aSidecarFollowsAService},
		{"a sidecar refuses another CA's discovery", (*story).aSidecarRefusesAnotherCA},
		{"what is done to the ConfigMap is put right", (*story).whatIsDoneToTheConfigMapIsPutRight},
		{"an API server that goes away and comes back changes nothing", (*story).anAPIServerGoesAway},
		{"a rotation overlaps", (*story).aRotationOverlaps},
		{"a revocation takes the CA away at once", (*story).aRevocationTakesTheCAAway},
		{"the webhook keeps the last good CA", (*story).theWebhookKeepsTheLastGoodCA},
		{"one process may run both", (*story).oneProcessMayRunBoth},
	} {
		if !t.Run(chapter.sentence, func(t *testing.T) { chapter.proof(s, t) }) {
			return
		}
	}
}

func (s *story) aDiscoveryWithoutRightsSaysSo(t *testing.T) {
	p := newDiscovery(t, s.kubeconfig(t, webhookAccount, s.config.Host))
	p.start(t)
	p.says(t, "certificate of discovery: read Secret probeshift/"+caName+": ")
	p.says(t, "apply the roles of deploy/webhook/components/lb-discovery again")
	p.stop(t)
}

// oneProcessMayRunBoth has all rights, as test clusters give them.
func (s *story) oneProcessMayRunBoth(t *testing.T) {
	p := newDiscovery(t, s.admin, "--run=admission,discovery", "--port="+port(t, installed.FreeAddress(t)), "--extra-names=127.0.0.1", "--drain-duration=0s")
	p.start(t)
	p.waitReady(t)
	if err := asks(t.Context(), p, s.published(t), name); err != nil {
		t.Error(err)
	}
	if p.said("running admission and discovery in one process, which is for test clusters") != 1 {
		t.Error("it does not say that this is for test clusters")
	}
	p.stop(t)
}

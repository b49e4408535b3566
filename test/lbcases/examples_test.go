package lbcases_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/examples/lb"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// TestTheExamplesAreInjected reads examples/lb as a user would apply them. The
// values are where each upstream is reached.
func TestTheExamplesAreInjected(t *testing.T) {
	want := map[string]map[string][]string{
		"client-and-greeter.yaml": {"greeter": nil, "client": {"greeter.shop:9000 at 127.64.0.1:9000"}},
		"cluster-ip.yaml":         {"catalog": nil, "shop": {"catalog.shop:9000 at 127.64.0.1:9000"}},
		"emojivoto.yaml":          {"web": {"emoji-svc-headless.emojivoto:8080 at 127.64.0.1:25000", "voting-svc-headless.emojivoto:8080 at 127.64.0.2:25001"}},
		"online-boutique.yaml": {
			"frontend": {
				"productcatalogservice-pods.boutique:3550 at 127.64.0.1:3550", "currencyservice-pods.boutique:7000 at 127.64.0.2:7000",
				"cartservice-pods.boutique:7070 at 127.64.0.3:7070", "recommendationservice-pods.boutique:8080 at 127.64.0.4:25000",
				"shippingservice-pods.boutique:50051 at 127.64.0.5:50051", "checkoutservice-pods.boutique:5050 at 127.64.0.6:5050",
				"adservice-pods.boutique:9555 at 127.64.0.7:9555",
			},
			"checkoutservice": {
				"productcatalogservice-pods.boutique:3550 at 127.64.0.1:3550", "shippingservice-pods.boutique:50051 at 127.64.0.2:50051",
				"paymentservice-pods.boutique:50051 at 127.64.0.3:50051", "emailservice-pods.boutique:8080 at 127.64.0.4:5000",
				"currencyservice-pods.boutique:7000 at 127.64.0.5:7000", "cartservice-pods.boutique:7070 at 127.64.0.6:7070",
			},
		},
	}
	got := map[string]map[string][]string{}
	all, err := lb.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range all {
		reached := map[string][]string{}
		for _, d := range example.Deployments {
			r := sidecar.Inject(lb.Pod(d), d.Namespace, sidecar.DefaultPolicy())
			if r.Outcome == sidecar.Refused || len(r.Warnings) > 0 {
				t.Errorf("%s: %s: %s %v", example.File, d.Name, r.Message(), r.Warnings)
			}
			reached[d.Name] = nil
			for _, u := range r.Status.Upstreams {
				reached[d.Name] = append(reached[d.Name], u.Name+" at "+u.Listen.String())
			}
		}
		got[example.File] = reached
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

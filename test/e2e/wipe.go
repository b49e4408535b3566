package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// watched is how long the endpoints are watched after the caBundle is back. The
// newer manifests have the kubelet ask each second, and one failure is enough.
const watched = 5 * time.Second

// wipe takes the caBundle out of the configuration. The replicas put it back and
// stay endpoints of the Service all the time: withdrawing them would make an
// outage of what is repaired in a fraction of a second. Pods that are created
// before the repair stay as they are, so they are reported.
func (l *life) wipe(ctx context.Context) error {
	slices, err := l.client.DiscoveryV1().EndpointSlices(webhookNamespace).Watch(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + deploymentName,
	})
	if err != nil {
		return err
	}
	defer slices.Stop()
	return l.under(ctx, "caBundle removed", true, func() error {
		begin := time.Now()
		if _, err := l.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(ctx, configurationName,
			types.JSONPatchType, []byte(`[
				{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"},
				{"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"}
			]`), metav1.PatchOptions{}); err != nil {
			return err
		}
		if err := eventually(ctx, "the caBundle is back", func() bool {
			for _, bundle := range l.bundles(ctx) {
				if len(bundle) == 0 {
					return false
				}
			}
			return true
		}); err != nil {
			return err
		}
		fmt.Fprintf(l.screen, "  the caBundle is back after %s at most\n", time.Since(begin).Round(10*time.Millisecond))
		return stayReady(ctx, slices, watched)
	})
}

// stayReady watches for a while whether an endpoint leaves.
func stayReady(ctx context.Context, slices watch.Interface, span time.Duration) error {
	over := time.NewTimer(span)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case event, open := <-slices.ResultChan():
			slice, ok := event.Object.(*discoveryv1.EndpointSlice)
			if !open || !ok {
				return errors.New("the watch of the webhook's endpoints ended")
			}
			if ready := readyEndpoints(slice); event.Type == watch.Deleted || ready < 2 {
				return fmt.Errorf("%d endpoints of the webhook are ready, not 2", ready)
			}
		}
	}
}

// readyEndpoints counts them. No word about one means that it is ready.
func readyEndpoints(slice *discoveryv1.EndpointSlice) int {
	n := 0
	for _, e := range slice.Endpoints {
		if e.Conditions.Ready == nil || *e.Conditions.Ready {
			n++
		}
	}
	return n
}

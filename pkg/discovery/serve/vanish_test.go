package serve

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// still is a time shorter than what a missing Service is waited for.
const still = vanishedAfter - 100*time.Millisecond

func TestAServiceWhoseSlicesAllVanishedIsEmptiedAfterAWhile(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		b.noSlice("greeter-a")
		if got := s.settle(still); len(got) > 0 {
			t.Fatalf("it was told %v at once", got)
		}
		s.settle(vanishedAfter - still + pushed)
		s.knows(greeter)
		if len(s.removed) > 0 {
			t.Errorf("%v was removed, on which Envoy keeps its hosts", s.removed)
		}
	})
}

func TestAServiceThatIsDeletedIsEmptiedAndFollowedOnceItIsBack(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		b.noService("greeter")
		b.noSlice("greeter-a")
		s.settle(vanishedAfter + pushed)
		s.knows(greeter)
		// Who asks now never knew it, and is told the same: both are on DNS.
		late := b.sidecar(nil, greeter)
		late.settle(moment)
		late.knows(greeter)
		time.Sleep(10 * time.Minute)
		twoPods(b.cluster)
		s.settle(pushed)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
		if len(s.removed) > 0 {
			t.Errorf("%v was removed, on which Envoy keeps its hosts", s.removed)
		}
	})
}

func TestAServiceDeletedAndCreatedWithinASecondIsNeverEmpty(t *testing.T) {
	for name, replace := range map[string]func(*bubble){
		"all of it": func(b *bubble) {
			b.noService("greeter")
			time.Sleep(300 * time.Millisecond)
			b.noSlice("greeter-a")
			time.Sleep(300 * time.Millisecond)
			b.service("greeter")
			time.Sleep(300 * time.Millisecond)
			b.slice("greeter", "greeter-b", "10.244.0.1", "10.244.0.2")
		},
		"the Service alone": func(b *bubble) {
			b.noService("greeter")
			time.Sleep(900 * time.Millisecond)
			b.service("greeter")
		},
		"its slices alone": func(b *bubble) {
			b.noSlice("greeter-a")
			time.Sleep(900 * time.Millisecond)
			b.slice("greeter", "greeter-b", "10.244.0.1", "10.244.0.2")
		},
		"three times": func(b *bubble) {
			for range 3 {
				b.noService("greeter")
				time.Sleep(900 * time.Millisecond)
				b.service("greeter")
				time.Sleep(900 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, twoPods, func(t *testing.T, b *bubble) {
				s := b.sidecar(nil, greeter)
				s.settle(moment)
				replace(b)
				if got := s.settle(time.Minute); len(got) > 0 {
					t.Errorf("it was told %v, and nothing has changed", got)
				}
				b.slice("greeter", "greeter-c", "10.244.0.3")
				s.settle(pushed)
				s.knows(greeter, "10.244.0.1", "10.244.0.2", "10.244.0.3")
			})
		})
	}
}

func TestASidecarThatComesBackWhileAServiceIsReplacedIsNotToldThatItIsEmpty(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		before := b.sidecar(nil, greeter)
		before.settle(moment)
		b.restart(func() { b.noService("greeter") })
		after := b.sidecar(before.versions, greeter)
		got := after.settle(time.Second)
		b.service("greeter")
		got = append(got, after.settle(time.Minute)...)
		for _, answer := range got {
			if len(answer.GetRemovedResources()) > 0 {
				t.Errorf("%v was removed", answer.GetRemovedResources())
			}
		}
		after.knows(greeter, "10.244.0.1", "10.244.0.2")
	})
}

func TestARestartWhileAServiceWasDeletedEndsInAnEmptyAssignment(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		before := b.sidecar(nil, greeter)
		before.settle(moment)
		b.restart(func() {
			b.noService("greeter")
			b.noSlice("greeter-a")
		})
		// One that knew it and one that did not, in both orders.
		early, after, late := b.sidecar(nil, greeter), b.sidecar(before.versions, greeter), b.sidecar(nil, greeter)
		for _, s := range []*sidecar{early, after, late} {
			s.settle(vanishedAfter + moment)
			s.knows(greeter)
			if len(s.removed) > 0 {
				t.Errorf("%v was removed, on which Envoy keeps its hosts", s.removed)
			}
		}
		// Known names that are not asked for any more are nobody's business.
		other := b.sidecar(map[string]string{"shop/past:9000": "1", greeter: "1"}, greeter)
		other.settle(time.Minute)
		other.knows(greeter)
		if len(other.removed) > 0 {
			t.Errorf("%v was removed", other.removed)
		}
	})
}

func TestAKnownNameThatLeadsNowhereAnyMoreIsEmptied(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		never := b.sidecar(nil, "shop/greeter:9001")
		never.settle(moment)
		if _, told := never.told["shop/greeter:9001"]; told {
			t.Fatal("a port that the Service does not have was answered")
		}
		// Another knew the name, from before the Service lost the port.
		once := b.sidecar(map[string]string{"shop/greeter:9001": "1"}, "shop/greeter:9001")
		if got := once.settle(still); len(got) > 0 {
			t.Fatalf("it was told %v at once", got)
		}
		once.settle(vanishedAfter - still + moment)
		once.knows("shop/greeter:9001")
		if len(once.removed) > 0 {
			t.Errorf("%v was removed, on which Envoy keeps its hosts", once.removed)
		}
	})
}

// The endpoints move between slices by several writes. The controller creates
// before it updates and updates before it deletes, but one that doesn't must not
// hurt either, if its writes follow each other closely.
func TestASliceSplitInTwoAndMergedIsNeverASmallerSet(t *testing.T) {
	everyone := pods(0, 40)
	for name, moves := range map[string][]func(*bubble){
		"split, the new one first": {
			func(b *bubble) { b.slice("greeter", "greeter-b", everyone[20:]...) },
			func(b *bubble) { b.slice("greeter", "greeter-a", everyone[:20]...) },
		},
		"split, the old one first": {
			func(b *bubble) { b.slice("greeter", "greeter-a", everyone[:20]...) },
			func(b *bubble) { b.slice("greeter", "greeter-b", everyone[20:]...) },
		},
		"merged": {
			func(b *bubble) { b.noSlice("greeter-z") },
			func(b *bubble) { b.slice("greeter", "greeter-a", everyone...) },
		},
		"replaced": {
			func(b *bubble) { b.noSlice("greeter-a") },
			func(b *bubble) { b.noSlice("greeter-z") },
			func(b *bubble) { b.slice("greeter", "greeter-b", everyone...) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				c.service("greeter")
				c.slice("greeter", "greeter-a", everyone...)
				c.slice("greeter", "greeter-z", everyone[30:]...)
			}, func(_ *testing.T, b *bubble) {
				s := b.sidecar(nil, greeter)
				s.settle(moment)
				for _, move := range moves {
					move(b)
					for _, answer := range s.settle(gatherFor / 5) {
						for _, r := range answer.GetResources() {
							if got := addressesIn(s.t, r); !slices.Equal(got, slices.Sorted(slices.Values(everyone))) {
								s.t.Fatalf("it was told %d of %d addresses", len(got), len(everyone))
							}
						}
					}
				}
				s.settle(time.Minute)
				s.knows(greeter, everyone...)
			})
		})
	}
}

// The Service is written first, and the controller's slices a moment later.
func TestAPortThatGetsAnotherNameIsNeverEmpty(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		services := b.CoreV1().Services("shop")
		object, err := services.Get(t.Context(), "greeter", metav1.GetOptions{})
		b.must(err)
		object.Spec.Ports[0].Name = "http2"
		_, err = services.Update(t.Context(), object, metav1.UpdateOptions{})
		b.must(err)
		got := s.settle(time.Second)
		slice, err := b.DiscoveryV1().EndpointSlices("shop").Get(t.Context(), "greeter-a", metav1.GetOptions{})
		b.must(err)
		slice.Ports[0].Name = &object.Spec.Ports[0].Name
		_, err = b.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), slice, metav1.UpdateOptions{})
		b.must(err)
		if got = append(got, s.settle(time.Minute)...); len(got) > 0 {
			t.Errorf("it was told %v, and the endpoints are the same", got)
		}
	})
}

package serve

import (
	"slices"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	greeter = "shop/greeter:9000"
	// moment is a time in which whatever needs no waiting has happened.
	moment = time.Millisecond
	// pushed is a time after which a single change has been sent.
	pushed = gatherFor + moment
)

// twoPods is a Service with two Pods.
func twoPods(c *cluster) {
	c.service("greeter")
	c.slice("greeter", "greeter-a", "10.244.0.1", "10.244.0.2")
}

func nothing(*cluster) {}

func TestASidecarIsToldWhatItNamesAndEachChangeOfIt(t *testing.T) {
	inBubble(t, twoPods, func(_ *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
		b.slice("greeter", "greeter-a", "10.244.0.2", "10.244.0.3")
		s.settle(pushed)
		s.knows(greeter, "10.244.0.2", "10.244.0.3")
	})
}

func TestAServiceThatNobodyNamesIsToldToNobody(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		b.service("other")
		b.slice("other", "other-a", "10.244.9.9")
		if got := s.settle(time.Minute); len(got) > 0 {
			t.Errorf("it was told %v", got)
		}
		if n := b.server.names.cache.NumResources(); n != 1 {
			t.Errorf("%d assignments are held for one name", n)
		}
	})
}

func TestChangesThatFollowEachOtherAreSentTogether(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		var sent int
		// One change each 20 ms, for a second: never 50 ms of rest.
		for i := range 50 {
			b.slice("greeter", "greeter-a", pods(0, i+1)...)
			sent += len(s.settle(20 * time.Millisecond))
		}
		sent += len(s.settle(time.Second))
		s.knows(greeter, pods(0, 50)...)
		if sent != 5 {
			t.Errorf("50 changes within a second were sent in %d answers, want one each 200 ms", sent)
		}
	})
}

func TestWhatChangesNothingIsNotSent(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s, w := b.sidecar(nil, greeter), b.world("", greeter)
		s.settle(moment)
		w.settle(moment)
		before := w.version
		b.slice("greeter", "greeter-a", "10.244.0.2", "10.244.0.1")
		b.slice("greeter", "greeter-b", "10.244.0.1")
		if got := s.settle(time.Minute); len(got) > 0 {
			t.Errorf("it was told %v", got)
		}
		if w.settle(moment); w.version != before {
			t.Errorf("a client of the older form was told version %s after %s", w.version, before)
		}
	})
}

func TestAZoneGetsTheEndpointsThatAreMeantForIt(t *testing.T) {
	endpoint := func(address, zone string) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{address},
			Hints:     &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}},
		}
	}
	inBubble(t, func(c *cluster) {
		c.service("greeter")
		c.put("greeter", "greeter-a", endpoint("10.244.0.1", "zone-a"), endpoint("10.244.0.2", "zone-b"))
	}, func(_ *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter, greeter+"@zone-a", greeter+"@zone-b", greeter+"@zone-c", greeter+"@")
		s.settle(moment)
		s.knows(greeter+"@zone-a", "10.244.0.1")
		s.knows(greeter+"@zone-b", "10.244.0.2")
		for _, all := range []string{greeter, greeter + "@zone-c", greeter + "@"} {
			s.knows(all, "10.244.0.1", "10.244.0.2")
		}
		b.put("greeter", "greeter-a", endpoint("10.244.0.3", "zone-a"), endpoint("10.244.0.2", "zone-b"))
		s.settle(pushed)
		s.knows(greeter+"@zone-a", "10.244.0.3")
		s.knows(greeter+"@zone-b", "10.244.0.2")
	})
}

func TestASidecarThatComesBackIsToldOnlyWhatItDoesNotKnow(t *testing.T) {
	inBubble(t, func(c *cluster) {
		twoPods(c)
		c.service("other")
		c.slice("other", "other-a", "10.244.9.9")
	}, func(t *testing.T, b *bubble) {
		const other = "shop/other:9000"
		before := b.sidecar(nil, greeter, other)
		before.settle(moment)

		b.restart(func() { b.slice("other", "other-a", "10.244.9.10") })
		after := b.sidecar(before.versions, greeter, other)
		got := after.settle(moment)
		if len(got) != 1 || len(got[0].GetResources()) != 1 || len(after.removed) > 0 {
			t.Fatalf("it was told %v, want the other Service alone", got)
		}
		after.knows(other, "10.244.9.10")
		b.slice("greeter", "greeter-a", "10.244.0.7")
		after.settle(pushed)
		after.knows(greeter, "10.244.0.7")
	})
}

func TestAnUnknownNameIsUnansweredUntilItExists(t *testing.T) {
	inBubble(t, nothing, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		if got := s.settle(time.Minute); len(got) > 0 {
			t.Fatalf("it was told %v", got)
		}
		twoPods(b.cluster)
		s.settle(pushed)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
	})
}

func TestAPortThatTheServiceDoesNotHaveIsUnanswered(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, "shop/greeter:9001")
		if got := s.settle(time.Minute); len(got) > 0 {
			t.Fatalf("it was told %v", got)
		}
	})
}

func TestEndpointsThatAreNoLongerReadyLeaveAtOnce(t *testing.T) {
	no := false
	inBubble(t, twoPods, func(_ *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		b.put("greeter", "greeter-a", discoveryv1.Endpoint{
			Addresses:  []string{"10.244.0.1"},
			Conditions: discoveryv1.EndpointConditions{Ready: &no},
		})
		s.settle(pushed)
		s.knows(greeter)
	})
}

func TestASliceHandedToAnotherServiceIsTakenFromTheFirst(t *testing.T) {
	inBubble(t, func(c *cluster) {
		twoPods(c)
		c.slice("greeter", "by-hand", "10.244.0.3")
		c.service("other")
	}, func(_ *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter, "shop/other:9000")
		s.settle(moment)
		s.knows(greeter, "10.244.0.1", "10.244.0.2", "10.244.0.3")
		b.slice("other", "by-hand", "10.244.0.3")
		s.settle(pushed)
		s.knows(greeter, "10.244.0.1", "10.244.0.2")
		s.knows("shop/other:9000", "10.244.0.3")
	})
}

func TestANameIsHeldForAsLongAsSomebodyAsksForIt(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		first, second := b.sidecar(nil, greeter), b.sidecar(nil, greeter, "shop/gone:9000")
		first.settle(moment)
		second.settle(moment)
		first.close()
		second.settle(moment)
		if n := b.server.names.cache.NumResources(); n != 1 {
			t.Fatalf("%d assignments are held, want the one that is still asked for", n)
		}
		b.slice("greeter", "greeter-a", "10.244.0.9")
		second.settle(pushed)
		second.knows(greeter, "10.244.0.9")
		b.slice("greeter", "greeter-a", "10.244.0.10") // its gathering must not outlive it
		second.close()
		time.Sleep(moment)
		n := b.server.names
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.cache.NumResources() > 0 || n.cache.NumCacheWatches() > 0 || len(n.byText) > 0 || len(n.services) > 0 {
			t.Errorf("something is held for nobody: %d assignments, %d watches, names %v", n.cache.NumResources(), n.cache.NumCacheWatches(), n.byText)
		}
	})
}

// A state-of-the-world client sees the same.
func TestTheOlderFormOfTheProtocolIsServedAlike(t *testing.T) {
	inBubble(t, twoPods, func(_ *testing.T, b *bubble) {
		w := b.world("", greeter)
		w.settle(moment)
		w.knows(greeter, "10.244.0.1", "10.244.0.2")
		b.slice("greeter", "greeter-a", "10.244.0.3")
		w.settle(pushed)
		w.knows(greeter, "10.244.0.3")
		w.ask(greeter, "shop/other:9000")
		b.service("other")
		b.slice("other", "other-a", "10.244.9.9")
		w.settle(pushed)
		w.knows("shop/other:9000", "10.244.9.9")
		w.ask("shop/other:9000")
		b.slice("other", "other-a", "10.244.9.10")
		w.settle(pushed)
		w.knows("shop/other:9000", "10.244.9.10")
		b.noSlice("other-a")
		w.settle(vanishedAfter + pushed)
		w.knows("shop/other:9000")

		b.restart(func() { b.noService("greeter") })
		back := b.world(w.version, greeter, "shop/never:9000")
		back.settle(vanishedAfter + moment)
		back.knows(greeter)
	})
}

// The library's watch of a stream is closed when an answer is under way; changes
// that come before it is acknowledged must not be lost.
func TestAChangeBeforeTheLastWasAcknowledgedIsNotLost(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		time.Sleep(pushed)
		for i := range 5 {
			b.slice("greeter", "greeter-a", pods(i, 3)...)
			time.Sleep(pushed)
		}
		if n := len(s.answers); n != 1 {
			t.Errorf("%d answers are under way to a client that acknowledged none", n)
		}
		s.settle(pushed)
		s.knows(greeter, pods(4, 3)...)
	})
}

func TestASliceWithoutAServiceIsNobodys(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		_, err := b.DiscoveryV1().EndpointSlices("shop").Create(t.Context(), &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "stray"},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.66"}}},
		}, metav1.CreateOptions{})
		b.must(err)
		s := b.sidecar(nil, greeter)
		s.settle(pushed)
		if slices.Contains(s.told[greeter], "10.244.0.66") {
			t.Error("a stray slice was served")
		}
	})
}

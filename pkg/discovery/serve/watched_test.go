package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"
)

// api can be switched off: lists fail, and watches that are under way end.
type api struct {
	off     atomic.Bool
	refusal error
	watches chan *watch.RaceFreeFakeWatcher
}

// switchable has the cluster's lists fail while the API is off.
func switchable(c *cluster, resource string) *api {
	a := &api{refusal: errors.New("connection refused"), watches: make(chan *watch.RaceFreeFakeWatcher, 100)}
	c.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return a.off.Load(), nil, a.refusal
	})
	c.PrependWatchReactor(resource, func(clienttesting.Action) (bool, watch.Interface, error) {
		if a.off.Load() {
			return true, nil, a.refusal
		}
		w := watch.NewRaceFreeFake()
		a.watches <- w
		return true, w, nil
	})
	return a
}

// expire ends the watch that is under way as the API server does when it no longer
// has what came since.
func (a *api) expire() {
	expired := apierrors.NewResourceExpired("too old resource version").ErrStatus
	(<-a.watches).Error(&expired)
}

func TestNothingIsServedBeforeAllIsKnown(t *testing.T) {
	for _, resource := range []string{"services", "endpointslices"} {
		t.Run(resource, func(t *testing.T) {
			var a *api
			inBubble(t, func(c *cluster) {
				twoPods(c)
				a = switchable(c, resource)
				a.off.Store(true)
				a.refusal = apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no rule allows it"))
			}, func(t *testing.T, b *bubble) {
				time.Sleep(time.Minute)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := b.network.dial(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("it listens: %v", err)
				}
				err := b.server.Ready()
				if err == nil || !strings.Contains(err.Error(), "no rule allows it") || !strings.Contains(err.Error(), "ServiceAccount") {
					t.Errorf("ready says %v", err)
				}
				a.off.Store(false)
				time.Sleep(2 * longestPause)
				synctest.Wait()
				if err := b.server.Ready(); err != nil {
					t.Errorf("ready says %v", err)
				}
				s := b.sidecar(nil, greeter)
				s.settle(moment)
				s.knows(greeter, "10.244.0.1", "10.244.0.2")
			})
		})
	}
}

func TestAnAPIServerThatIsAwayChangesNothing(t *testing.T) {
	for _, resource := range []string{"services", "endpointslices"} {
		t.Run(resource, func(t *testing.T) {
			var a *api
			inBubble(t, func(c *cluster) {
				twoPods(c)
				a = switchable(c, resource)
			}, func(t *testing.T, b *bubble) {
				s := b.sidecar(nil, greeter)
				s.settle(moment)
				for range 3 {
					a.off.Store(true)
					a.expire()
					if got := s.settle(time.Minute); len(got) > 0 {
						t.Fatalf("it was told %v while the API server was away", got)
					}
					late := b.sidecar(nil, greeter)
					late.settle(moment)
					late.knows(greeter, "10.244.0.1", "10.244.0.2")
					a.off.Store(false)
					if got := s.settle(time.Minute); len(got) > 0 {
						t.Fatalf("it was told %v after a list that changed nothing", got)
					}
				}
				if err := b.server.Ready(); err != nil {
					t.Errorf("ready says %v", err)
				}
				if n := b.metric("watch_errors_total", ""); n < 3 {
					t.Errorf("%v errors were counted", n)
				}
			})
		})
	}
}

func TestAnAPIServerThatIsBackIsFollowedSoon(t *testing.T) {
	var a *api
	inBubble(t, func(c *cluster) {
		twoPods(c)
		a = switchable(c, "endpointslices")
	}, func(t *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		a.off.Store(true)
		a.expire()
		s.settle(staleAfter / 2)
		if err := b.server.Ready(); err != nil {
			t.Errorf("after %v ready says %v", staleAfter/2, err)
		}
		s.settle(10 * time.Minute)
		if err := b.server.Ready(); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("after 11 minutes ready says %v", err)
		}
		b.slice("greeter", "greeter-a", "10.244.0.9")
		a.off.Store(false)
		s.settle(2 * longestPause)
		s.knows(greeter, "10.244.0.9")
		if err := b.server.Ready(); err != nil {
			t.Errorf("when it is back ready says %v", err)
		}
	})
}

func TestErrorsThatAskingAgainDoesNotMendAreTheInformers(t *testing.T) {
	kind := schema.GroupResource{Resource: "services"}
	for name, tc := range map[string]struct {
		err   error
		final bool
	}{
		"nobody answers":           {errors.New("connection refused"), false},
		"the rights are missing":   {apierrors.NewForbidden(kind, "", errors.New("no rule allows it")), false},
		"nobody is known yet":      {apierrors.NewUnauthorized("no"), false},
		"too many requests":        {apierrors.NewTooManyRequests("later", 1), false},
		"it is starting":           {apierrors.NewServiceUnavailable("later"), false},
		"the version is too old":   {apierrors.NewResourceExpired("too old resource version"), true},
		"the version is too large": {apierrors.NewTimeoutError("Too large resource version", 1), true},
		"a way that is not known":  {apierrors.NewBadRequest("sendInitialEvents is forbidden"), true},
		"an error of its own":      {apierrors.NewInternalError(errors.New("etcd")), true},
	} {
		if got := isFinal(fmt.Errorf("watch Services: %w", tc.err)); got != tc.final {
			t.Errorf("%s: final is %t", name, got)
		}
	}
}

func TestAListAfterAnExpiredWatchTellsWhatWasMissed(t *testing.T) {
	var a *api
	inBubble(t, func(c *cluster) {
		twoPods(c)
		c.slice("greeter", "greeter-b", "10.244.0.3")
		a = switchable(c, "endpointslices")
	}, func(_ *testing.T, b *bubble) {
		s := b.sidecar(nil, greeter)
		s.settle(moment)
		a.off.Store(true)
		a.expire()
		s.settle(moment)
		// One slice changes and one goes, and no event tells of either.
		b.slice("greeter", "greeter-a", "10.244.0.9")
		b.noSlice("greeter-b")
		a.off.Store(false)
		s.settle(time.Minute)
		s.knows(greeter, "10.244.0.9")
	})
}

func TestWatchesAskForAllNamespacesAndOnlyTheTwoKinds(t *testing.T) {
	inBubble(t, twoPods, func(t *testing.T, b *bubble) {
		for _, action := range b.Actions() {
			if action.GetVerb() != "list" && action.GetVerb() != "watch" {
				continue
			}
			if r := action.GetResource().Resource; r != "services" && r != "endpointslices" || action.GetNamespace() != metav1.NamespaceAll {
				t.Errorf("%s of %s in %q", action.GetVerb(), r, action.GetNamespace())
			}
		}
	})
}

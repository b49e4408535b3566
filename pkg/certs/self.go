package certs

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"math/big"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	// leastPause keeps a stream of watch events from becoming a stream of
	// calls.
	leastPause = 20 * time.Millisecond
	// resync is how often an informer tells again what it has.
	resync = 10 * time.Minute
)

// Self makes its own CA, shares it with the other replicas through one Secret,
// publishes it for those who verify its certificates (for the webhook in the
// caBundle of its configuration, for discovery in a ConfigMap), and rotates it
// without a moment in which one of them would refuse the serving certificate.
// It needs no leader.
type Self struct {
	*replica
	store   apiStore
	kick    chan struct{}
	watches sync.WaitGroup
}

var _ Source = (*Self)(nil)

// NewSelf returns the source for the cluster that config reaches. It returns an
// error for options that are not valid. The clock is time.Now outside of tests.
func NewSelf(config *rest.Config, options Options, now func() time.Time, report Report) (*Self, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	store, err := newStore(config, options)
	if err != nil {
		return nil, err
	}
	keys := x509Keyring{subject: options.words().subject, names: options.names(), caLife: options.CALife, random: rand.Reader}
	clock := systemClock{now: now, origin: now()}
	return &Self{
		replica: newReplica(options, store, keys, clock, randomFraction, report),
		store:   store,
		kick:    make(chan struct{}, 1),
	}, nil
}

// GetCertificate returns the leaf of this replica.
func (s *Self) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	leaf := s.leaf.Load()
	if leaf == nil {
		return nil, fmt.Errorf("no serving certificate yet: %w", s.Ready())
	}
	return leaf.TLS, nil
}

// Start keeps Secret, published CA and leaf until ctx ends. It returns an error
// only when the watches cannot be set up at all.
func (s *Self) Start(ctx context.Context) error {
	stop, err := s.watch(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for {
		wake := time.NewTimer(s.reconcile(ctx))
		select {
		case <-ctx.Done():
			wake.Stop()
			return nil
		case <-s.kick:
			wake.Stop()
		case <-wake.C:
		}
		if !sleep(ctx, leastPause) {
			return nil
		}
	}
}

// watch follows the objects. The versions of the one that the CA is published
// in are counted; everything else is only a reason to look at the API server.
func (s *Self) watch(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	stop = func() {
		cancel()
		s.watches.Wait()
	}
	for _, w := range s.store.watched() {
		objects := cache.NewFilteredListWatchFromClient(w.client, w.resource, w.namespace, func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector("metadata.name", w.name).String()
		})
		informer := cache.NewSharedInformer(objects, w.example, resync)
		if _, err := informer.AddEventHandler(s.handler(w.read)); err != nil {
			stop()
			return nil, fmt.Errorf("watch %s %s: %w", w.resource, w.name, err)
		}
		s.watches.Go(func() { informer.RunWithContext(ctx) })
	}
	return stop, nil
}

// handler counts versions of an object, where read is not nil, and wakes the
// loop.
func (s *Self) handler(read func(version any) (configuration, bool)) cache.ResourceEventHandler {
	changed := func(object any) {
		if read != nil {
			if version, ok := read(object); ok {
				s.see(version)
			}
		}
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    changed,
		UpdateFunc: func(_, object any) { changed(object) },
		DeleteFunc: func(any) { changed(nil) },
	}
}

// randomFraction returns a random number in [0, 1).
func randomFraction() float64 {
	const parts = 1 << 20
	n, err := rand.Int(rand.Reader, big.NewInt(parts))
	if err != nil {
		return 0 // the jitter is a courtesy, not a need
	}
	return float64(n.Int64()) / parts
}

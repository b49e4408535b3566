package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

const (
	// upstreams is how many Services a sidecar asks for: the large one and others.
	upstreams = 5
	// patience is how long something that must happen is waited for.
	patience = time.Minute
)

// fleet is so many sidecars.
type fleet struct {
	sidecars []*sidecar
	to       atomic.Pointer[target]
	node     *corev3.Node
	// waited is the change that is waited for now.
	waited atomic.Pointer[change]
	number int64

	running sync.WaitGroup
	cancel  context.CancelFunc
}

// change is a change that sidecars are to see.
type change struct {
	number int64
	name   string
	// marker is an address that was not there before.
	marker []byte
	// at is when the slice was about to be written.
	at  time.Time
	got chan time.Duration
}

// newFleet returns sidecars that do not run yet; first is the number of the first,
// which decides on its address and what it asks for.
func newFleet(c *cluster, first, count int, to *target) *fleet {
	f := &fleet{node: envoyNode()}
	f.to.Store(to)
	for i := first; i < first+count; i++ {
		names := []string{c.services[0].resource()}
		for j := range upstreams - 1 {
			names = append(names, c.services[1+(i*(upstreams-1)+j)%(len(c.services)-1)].resource())
		}
		f.sidecars = append(f.sidecars, &sidecar{number: i, names: names, fleet: f, held: map[string][]byte{}, versions: map[string]string{}})
	}
	return f
}

// start starts all of them at once.
func (f *fleet) start(ctx context.Context) {
	ctx, f.cancel = context.WithCancel(ctx)
	for _, s := range f.sidecars {
		f.running.Go(func() { s.run(ctx) })
	}
}

// stop ends all of them.
func (f *fleet) stop() {
	f.cancel()
	f.running.Wait()
}

// forget has them know nothing, as if they had just been started.
func (f *fleet) forget() {
	for _, s := range f.sidecars {
		s.mu.Lock()
		s.held, s.versions = map[string][]byte{}, map[string]string{}
		s.mu.Unlock()
	}
}

// answered waits until each has an answer for each of its names, and says how long
// that took.
func (f *fleet) answered(ctx context.Context) (time.Duration, error) {
	return f.wait(ctx, "every sidecar has all its answers", func(s *sidecar) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.held) == len(s.names)
	})
}

// wait waits until something is true of each.
func (f *fleet) wait(ctx context.Context, what string, is func(*sidecar) bool) (time.Duration, error) {
	begin := time.Now()
	for {
		missing := 0
		for _, s := range f.sidecars {
			if !is(s) {
				missing++
			}
		}
		switch {
		case missing == 0:
			return time.Since(begin), nil
		case time.Since(begin) > patience:
			return 0, fmt.Errorf("not so after %s: %s; %d of %d are missing", patience, what, missing, len(f.sidecars))
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// see replaces one endpoint of a Service and waits until every sidecar that asks
// for it has seen it. It returns how long each took, from the write on.
func (f *fleet) see(ctx context.Context, c *cluster, of *service, at int) ([]time.Duration, error) {
	f.number++
	interested := f.asking(of)
	w := &change{number: f.number, name: of.resource(), got: make(chan time.Duration, len(f.sidecars))}
	// The address is known before it is written.
	w.marker = []byte(c.peek())
	w.at = time.Now()
	f.waited.Store(w)
	if err := c.replace(ctx, of, at, 1); err != nil {
		return nil, err
	}
	var all []time.Duration
	deadline := time.After(patience)
	for len(all) < interested {
		select {
		case took := <-w.got:
			all = append(all, took)
		case <-deadline:
			return all, fmt.Errorf("%d of %d sidecars did not see a change of %s within %s", interested-len(all), interested, of.name, patience)
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	return all, nil
}

// asking is how many ask for a Service.
func (f *fleet) asking(of *service) int {
	n := 0
	for _, s := range f.sidecars {
		if slices.Contains(s.names, of.resource()) {
			n++
		}
	}
	return n
}

// check holds what all of them know against what is so.
func (f *fleet) check(c *cluster) error {
	for _, of := range c.services {
		for _, s := range f.sidecars {
			if !slices.Contains(s.names, of.resource()) {
				continue
			}
			if err := s.wrong(of); err != nil {
				return err
			}
		}
	}
	return nil
}

// received is how many bytes came over the wire, all together.
func (f *fleet) received() int64 {
	var sum int64
	for _, s := range f.sidecars {
		sum += s.received.Load()
	}
	return sum
}

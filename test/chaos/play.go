package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/probeshift/probeshift/test/chaos/podload"
)

// quiet is how long creations still count to an event that is over.
const quiet = time.Second

// play lets every event happen so many times under load. It returns a row for
// each, and a first one for the time between them.
func (s *scene) play(ctx context.Context, out io.Writer, rounds int, random *rand.Rand) ([]*row, error) {
	calm := &row{event: event{name: "nothing (before, between, after)"}}
	rows := []*row{calm}
	for _, e := range s.events() {
		rows = append(rows, &row{event: e})
	}
	between := &podload.Tally{}
	s.load = podload.Start(ctx, s.plane.client, podload.Options{Namespace: loadNamespace, Clients: clients, Rate: rate}, between)
	defer s.load.Stop()
	if err := eventually(ctx, "the API server calls the webhook", func() bool { return between.Counts().Legacy > len(between.Counts().Unmutated) }); err != nil {
		return nil, err
	}
	// What was created before the API server had the caBundle does not count.
	between = &podload.Tally{}
	s.load.Count(between)
	for _, r := range rows[1:] {
		for round := range rounds {
			if err := s.scale(ctx, r.event.replicas); err != nil {
				return nil, err
			}
			wait(ctx, time.Duration(random.IntN(1000))*time.Millisecond)
			tally := &podload.Tally{}
			s.failures.take()
			s.load.Count(tally)
			saw, err := r.event.run(ctx, random)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round+1, r.event.name, err)
			}
			wait(ctx, quiet)
			s.load.Count(between)
			r.add(tally.Counts(), saw, s.failures.take())
			fmt.Fprintf(out, "round %d, %s: %s\n", round+1, r.event.name, r.last())
		}
	}
	if err := s.scale(ctx, 2); err != nil {
		return nil, err
	}
	wait(ctx, quiet)
	s.load.Stop()
	calm.add(between.Counts(), seen{}, nil)
	return rows, ctx.Err()
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

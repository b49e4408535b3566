package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// slicesOf follows the EndpointSlices of a Service.
type slicesOf struct {
	end     context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	members map[string]map[string]bool // of each slice, by name
	moves   []move
}

// move is a Pod that came into the slices of a Service or left them, as a
// client of the API server is told.
type move struct {
	pod string
	in  bool
	at  time.Time
}

// watchSlices follows the EndpointSlices of a Service until it is stopped.
func watchSlices(ctx context.Context, service string) (*slicesOf, error) {
	ctx, end := context.WithCancel(ctx)
	s := &slicesOf{end: end, ended: make(chan struct{}), members: map[string]map[string]bool{}}
	command := exec.CommandContext(ctx, "kubectl", "-n", namespace, "get", "endpointslices", "--selector="+discoveryv1.LabelServiceName+"="+service,
		"--watch", "--output-watch-events", "--output=json")
	said, err := command.StdoutPipe()
	if err != nil {
		end()
		return nil, err
	}
	if err := command.Start(); err != nil {
		end()
		return nil, fmt.Errorf("watching EndpointSlices: %w", err)
	}
	first := make(chan struct{})
	go func() {
		defer close(s.ended)
		defer command.Wait() //nolint:errcheck // it is told to end
		for events, known := json.NewDecoder(said), false; ; known = true {
			var event struct {
				Type   string
				Object discoveryv1.EndpointSlice
			}
			if err := events.Decode(&event); err != nil {
				if !errors.Is(err, io.EOF) {
					end()
				}
				return
			}
			s.take(event.Type, &event.Object, time.Now())
			if !known {
				s.settle()
				close(first)
			}
		}
	}()
	select {
	case <-first:
		return s, nil
	case <-s.ended:
		return nil, errors.New("kubectl ended that watched EndpointSlices")
	}
}

// stop follows them no more.
func (s *slicesOf) stop() {
	s.end()
	<-s.ended
}

// take takes an event.
func (s *slicesOf) take(kind string, slice *discoveryv1.EndpointSlice, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.all()
	s.members[slice.Name] = map[string]bool{}
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if kind != "DELETED" && endpoint.TargetRef != nil && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) {
			s.members[slice.Name][endpoint.TargetRef.Name] = true
		}
	}
	after := s.all()
	for pod := range after {
		if !before[pod] {
			s.moves = append(s.moves, move{pod, true, now})
		}
	}
	for pod := range before {
		if !after[pod] {
			s.moves = append(s.moves, move{pod, false, now})
		}
	}
}

// settle forgets the moves so far: those that were there have not moved.
func (s *slicesOf) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves = nil
}

// all are the ready Pods of all slices.
func (s *slicesOf) all() map[string]bool {
	all := map[string]bool{}
	for _, some := range s.members {
		maps.Copy(all, some)
	}
	return all
}

// times are how long after a change of the slices something happened.
type times struct {
	// arrived is until the first answer of a Pod that came.
	arrived []time.Duration
	// left is until the last answer of a Pod that left, zero when there was none
	// any more.
	left []time.Duration
}

// times compares the moves with what a client saw.
func (s *slicesOf) times(seen windows) times {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t times
	for i, m := range s.moves {
		// Until it moves once more.
		until := time.Now()
		for _, later := range s.moves[i+1:] {
			if later.pod == m.pod {
				until = later.at
				break
			}
		}
		first, last := seen.sightings(m.pod, m.at, until)
		switch {
		case m.in && !first.IsZero():
			t.arrived = append(t.arrived, first.Sub(m.at))
		case !m.in && last.IsZero():
			t.left = append(t.left, 0)
		case !m.in:
			t.left = append(t.left, last.Sub(m.at))
		}
	}
	return t
}

// percentileOf is the time that so many percent of them are at most.
func percentileOf(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, percent*len(sorted)/100)]
}

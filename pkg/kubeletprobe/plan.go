package kubeletprobe

import (
	"context"
	"sync"
	"time"
)

// Plan says how targets are probed.
type Plan struct {
	// Attempts is how often each target is probed, one after the other.
	Attempts int `json:"attempts"`
	// Interval is the time between two of them.
	Interval time.Duration `json:"interval"`
	// Concurrency is how many targets are probed at once.
	Concurrency int `json:"concurrency"`
	// Version is the kubelet's, as MAJOR.MINOR, for the user-agent.
	Version string `json:"version"`
}

// Run probes all targets and returns the answers of each, in the order of the
// targets. After each target it calls progress with how many are done. When the
// context ends, so do the probes, and their answers are of no worth.
func (p Plan) Run(ctx context.Context, targets []Target, progress func(done int)) [][]Answer {
	answers := make([][]Answer, len(targets))
	next := make(chan int)
	var working sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range max(1, min(p.Concurrency, len(targets))) {
		working.Go(func() {
			for i := range next {
				answers[i] = p.probe(ctx, targets[i])
				mu.Lock()
				done++
				progress(done)
				mu.Unlock()
			}
		})
	}
	for i := range targets {
		next <- i
	}
	close(next)
	working.Wait()
	return answers
}

// probe probes one target as often as the plan says.
func (p Plan) probe(ctx context.Context, target Target) []Answer {
	var answers []Answer
	for i := range p.Attempts {
		if i > 0 {
			select {
			case <-time.After(p.Interval):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return answers
		}
		answers = append(answers, Probe(ctx, target, p.Version))
	}
	return answers
}

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// leave ends a backend at once and has its address swallow packets, as those of
// Pods that are gone do.
func (b *bed) leave(ctx context.Context, be *backend) error {
	if err := be.kill(); err != nil {
		return err
	}
	_, err := b.drop(ctx, be.address)
	return err
}

// leaveTogether has backends leave while the Service becomes what stays. The
// kubelet and the endpoint controller see at the same moment that a Pod is to go.
func (b *bed) leaveTogether(ctx context.Context, l *load, going, staying []*backend) (span, error) {
	leaving := span{from: l.now()}
	together, ctx := errgroup.WithContext(ctx)
	together.Go(func() error { return b.greeter.becomes(ctx, staying...) })
	for _, be := range going {
		together.Go(func() error { return b.leave(ctx, be) })
	}
	err := together.Wait()
	leaving.to = l.now()
	return leaving, err
}

// roll replaces backends one by one, as a Deployment does that may have one Pod
// more than it asks for. It returns the new ones and when an old one left.
func (b *bed) roll(ctx context.Context, l *load, old []*backend) (current []*backend, left []span, err error) {
	becomesReady := pick(b, 3*time.Second, time.Second)
	current = slices.Clone(old)
	for _, leaving := range old {
		if err := pause(ctx, becomesReady); err != nil {
			return nil, nil, err
		}
		started, err := b.start(ctx, 1)
		if err != nil {
			return nil, nil, err
		}
		if err := b.greeter.becomes(ctx, append(slices.Clone(current), started...)...); err != nil {
			return nil, nil, err
		}
		current = append(current[1:], started...)
		gone, err := b.leaveTogether(ctx, l, []*backend{leaving}, current)
		if err != nil {
			return nil, nil, err
		}
		left = append(left, gone)
	}
	return current, left, pause(ctx, pick(b, 10*time.Second, 4*time.Second))
}

// verdictOf is what a row about a change says of its load.
func verdictOf(all outcomes, left ...span) (met bool, seen string) {
	lost := all.failed().inFlight(left...)
	worst, when := all.leastAnswered()
	seen = fmt.Sprintf("%s, %d of them in flight", all.errors(), len(lost))
	if !math.IsInf(worst, 1) {
		seen += fmt.Sprintf("; worst 2 s window %.0f %% (at %.0f s)", worst, when.Seconds())
	}
	if failed := all.failed(); len(failed) > len(lost) {
		seen += fmt.Sprintf("; from %.1f to %.1f s; %s", failed.first().Seconds(), failed.last().Seconds(), all.firstError())
	}
	return len(all.failed()) == len(lost) && worst >= lowest, seen
}

// leastAnswered is the least that was answered in two seconds, in percent of what
// was sent in them, and when that began; infinite without a whole window. A machine that is too busy to send at
// the rate shows in neither.
func (o outcomes) leastAnswered() (percent float64, begin time.Duration) {
	const window = 2 * time.Second
	sent, answered := map[time.Duration]int{}, map[time.Duration]int{}
	first := o.first()
	for _, one := range o {
		sent[(one.begun-first).Truncate(window)]++
		if one.err == nil {
			answered[(one.begun+one.took-first).Truncate(window)]++
		}
	}
	// The last window is not a whole one.
	percent = math.Inf(1)
	for at := time.Duration(0); first+at+window <= o.last(); at += window {
		if share := 100 * float64(answered[at]) / float64(max(1, sent[at])); share < percent && sent[at] > 0 {
			percent, begin = share, first+at
		}
	}
	return percent, begin
}

// firstAt is when the first request that a backend answered was sent; an hour
// when it answered none.
func (o outcomes) firstAt(backend string) time.Duration {
	first := time.Hour
	for _, one := range o {
		if one.err == nil && one.backend == backend {
			first = min(first, one.begun)
		}
	}
	return first
}

// lastAt is when the last one was sent, 0 when it answered none.
func (o outcomes) lastAt(backend string) time.Duration {
	var last time.Duration
	for _, one := range o {
		if one.err == nil && one.backend == backend {
			last = max(last, one.begun)
		}
	}
	return last
}

package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// outcome is what became of one request of a load.
type outcome struct {
	// begun is when it was sent, since the load began.
	begun   time.Duration
	took    time.Duration
	backend string
	err     error
}

// outcomes are those of a load, in the order of their ends.
type outcomes []outcome

// load sends requests at a steady rate, whatever becomes of them.
type load struct {
	begin time.Time
	end   context.CancelFunc
	sent  sync.WaitGroup

	mu   sync.Mutex
	done outcomes
}

// startLoad sends loadRate requests a second, each with that deadline.
func startLoad(ctx context.Context, connection *grpc.ClientConn, deadline time.Duration, question ask) *load {
	l := &load{begin: time.Now()}
	ticking, end := context.WithCancel(ctx)
	l.end = end
	l.sent.Go(func() {
		ticker := time.NewTicker(time.Second / loadRate)
		defer ticker.Stop()
		for {
			select {
			case <-ticking.Done():
				return
			case <-ticker.C:
				l.sent.Go(func() { l.send(ctx, connection, deadline, question) })
			}
		}
	})
	return l
}

// send sends one request.
func (l *load) send(ctx context.Context, connection *grpc.ClientConn, deadline time.Duration, question ask) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	begun := time.Now()
	reply, err := say(ctx, connection, question)
	o := outcome{begun: begun.Sub(l.begin), took: time.Since(begun), err: err}
	if err == nil {
		o.backend = reply.Backend
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, o)
}

// now is the time since the load began.
func (l *load) now() time.Duration { return time.Since(l.begin) }

// so far are the outcomes until now.
func (l *load) soFar() outcomes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.done)
}

// stop ends the load and waits for what is in flight.
func (l *load) stop() outcomes {
	l.end()
	l.sent.Wait()
	return l.soFar()
}

// between are those begun in a span of time.
func (o outcomes) between(from, to time.Duration) outcomes {
	var some outcomes
	for _, one := range o {
		if one.begun >= from && one.begun < to {
			some = append(some, one)
		}
	}
	return some
}

// failed are those that failed.
func (o outcomes) failed() outcomes {
	var some outcomes
	for _, one := range o {
		if one.err != nil {
			some = append(some, one)
		}
	}
	return some
}

// span is a piece of the time of a load.
type span struct{ from, to time.Duration }

// inFlight are those that were under way within one of these spans.
func (o outcomes) inFlight(spans ...span) outcomes {
	var some outcomes
	for _, one := range o {
		if slices.ContainsFunc(spans, func(s span) bool { return one.begun <= s.to && s.from <= one.begun+one.took }) {
			some = append(some, one)
		}
	}
	return some
}

// spread counts who answered.
func (o outcomes) spread() spread {
	counts := spread{}
	for _, one := range o {
		if one.err == nil {
			counts[one.backend]++
		}
	}
	return counts
}

// first is when the first of them began, 0 when there is none.
func (o outcomes) first() time.Duration {
	if len(o) == 0 {
		return 0
	}
	first := o[0].begun
	for _, one := range o {
		first = min(first, one.begun)
	}
	return first
}

// last is when the last of them began.
func (o outcomes) last() time.Duration {
	var last time.Duration
	for _, one := range o {
		last = max(last, one.begun)
	}
	return last
}

// percentile is the time that so many percent of the answers took at most.
func (o outcomes) percentile(percent float64) time.Duration {
	var took []time.Duration
	for _, one := range o {
		if one.err == nil {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(percent/100*float64(len(took))))]
}

// errors says how many failed, and how.
func (o outcomes) errors() string {
	kinds := map[string]int{}
	for _, one := range o.failed() {
		kinds[status.Code(one.err).String()]++
	}
	if len(kinds) == 0 {
		return fmt.Sprintf("0 of %d failed", len(o))
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%d %s", kinds[kind], kind))
	}
	return fmt.Sprintf("%d of %d failed (%s)", len(o.failed()), len(o), strings.Join(parts, ", "))
}

// firstError is an example of a failure, with when it began.
func (o outcomes) firstError() string {
	for _, one := range o.failed() {
		return fmt.Sprintf("%.1f s: %v", one.begun.Seconds(), one.err)
	}
	return ""
}

// worstWindow is the least that was answered in two seconds, in percent of the
// rate, and when that began. A request counts where it was answered.
func (o outcomes) worstWindow(rate int) (percent float64, begin time.Duration) {
	const window = 2 * time.Second
	first := o.first()
	counts := map[time.Duration]int{}
	for _, one := range o {
		if one.err == nil {
			counts[(one.begun+one.took-first).Truncate(window)]++
		}
	}
	// The last window is not a whole one.
	percent = math.Inf(1)
	for at := time.Duration(0); first+at+window <= o.last(); at += window {
		if answered := 100 * float64(counts[at]) / (float64(rate) * window.Seconds()); answered < percent {
			percent, begin = answered, first+at
		}
	}
	return percent, begin
}

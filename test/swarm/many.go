package main

import (
	"context"
	"fmt"
	"time"
)

// many measures memory, and what happens when all sidecars come at once.
func (s *scene) many(ctx context.Context) error {
	fmt.Fprintf(s.out, "%d sidecars, %d endpoints\n", s.plan.many, s.endpoints())
	var f *fleet
	err := s.with(ctx, func(ctx context.Context, d *discovery) error {
		alone, err := d.resident("VmRSS")
		if err != nil {
			return err
		}
		s.table.add(fmt.Sprintf("memory with %d endpoints and no sidecar", s.endpoints()), "%s", mebibytes(alone))
		var took time.Duration
		if f, took, err = s.started(ctx, s.plan.many, at(d)); err != nil {
			return err
		}
		if err := s.storm(d, "all start at once", took); err != nil {
			return err
		}
		if err := s.memory(ctx, d, alone); err != nil {
			return err
		}
		latencies, err := s.changes(ctx, f, s.plan.changes)
		if err != nil {
			s.table.must("every sidecar sees every change", err)
			return nil
		}
		s.table.add(fmt.Sprintf("push latency, %d sidecars, %d changes", s.plan.many, s.plan.changes), "%s", latency(latencies))
		if err := s.again(ctx, d, f); err != nil {
			return err
		}
		s.table.must("what sidecars know after a storm is what is so", f.check(s.cluster))
		return nil
	})
	if err != nil || f == nil {
		return err
	}
	defer f.stop()
	return s.restarted(ctx, f)
}

// storm adds how long a storm took, and the memory at its height.
func (s *scene) storm(d *discovery, how string, took time.Duration) error {
	peak, err := d.resident("VmHWM")
	if err != nil {
		return err
	}
	cpu, err := d.cpu()
	if err != nil {
		return err
	}
	s.table.add(fmt.Sprintf("%d sidecars, %s", s.plan.many, how), "%s until all have all answers, peak %s, %s of CPU since the process began",
		took.Round(10*time.Millisecond), mebibytes(peak), cpu.Round(10*time.Millisecond))
	return nil
}

// memory adds what a swarm at rest takes, and what TLS alone takes of it.
func (s *scene) memory(ctx context.Context, d *discovery, alone int64) error {
	// Two collections, and the time in which what they free is given back.
	rest := 2 * time.Second
	if s.plan.many > 1000 {
		rest = 20 * time.Second
	}
	time.Sleep(rest)
	all, err := d.resident("VmRSS")
	if err != nil {
		return err
	}
	each, err := floor(ctx, s.plan.many)
	if err != nil {
		return err
	}
	program, err := d.resident("RssFile")
	if err != nil {
		return err
	}
	bare := each * int64(s.plan.many)
	s.table.hold(fmt.Sprintf("memory with %d endpoints and %d sidecars", s.endpoints(), s.plan.many), all <= memoryTarget, "150 MiB", "%s (%s a sidecar; %s are pages of the program's file)",
		mebibytes(all), mebibytes((all-alone)/int64(s.plan.many)), mebibytes(program))
	s.table.hold("the same less what TLS alone takes", all-bare <= memoryTarget, "150 MiB", "%s (TLS in a bare server of it: %s, %s a connection)",
		mebibytes(all-bare), mebibytes(bare), mebibytes(each))
	return nil
}

// again ends all sidecars and starts them anew, knowing nothing.
func (s *scene) again(ctx context.Context, d *discovery, f *fleet) error {
	f.stop()
	f.forget()
	if err := d.forget(); err != nil {
		return err
	}
	f.start(ctx)
	took, err := f.answered(ctx)
	if err != nil {
		return err
	}
	return s.storm(d, "all start at once again", took)
}

// restarted has them find another process in place of the one that was stopped.
func (s *scene) restarted(ctx context.Context, f *fleet) error {
	return s.with(ctx, func(ctx context.Context, d *discovery) error {
		before := map[*sidecar]int64{}
		for _, one := range f.sidecars {
			before[one] = one.streams.Load()
		}
		bytes := f.received()
		f.to.Store(at(d))
		took, err := f.wait(ctx, "every sidecar is back", func(one *sidecar) bool { return one.streams.Load() > before[one] })
		if err != nil {
			return err
		}
		// What they know is still so, and nothing needs be sent.
		pushes, err := d.metric(ctx, "probeshift_discovery_pushes_total")
		if err != nil {
			return err
		}
		s.table.add(fmt.Sprintf("%d sidecars, discovery restarted", s.plan.many), "%s until all are back; %.0f assignments sent, %d bytes each sidecar",
			took.Round(10*time.Millisecond), pushes, (f.received()-bytes)/int64(s.plan.many))
		_, err = s.changes(ctx, f, 1)
		s.table.must("every sidecar sees the first change after a restart", err)
		s.table.must("what sidecars know after a restart is what is so", f.check(s.cluster))
		return nil
	})
}

// aged has connections end by their age, and sidecars spread over two replicas.
func (s *scene) aged(ctx context.Context) error {
	fmt.Fprintf(s.out, "%d sidecars, two replicas\n", s.plan.few)
	age := "--discovery-connection-age=" + s.plan.age.String()
	return s.with(ctx, func(ctx context.Context, first *discovery) error {
		f, _, err := s.started(ctx, s.plan.few, at(first))
		if err != nil {
			return err
		}
		defer f.stop()
		return s.with(ctx, func(ctx context.Context, second *discovery) error {
			f.to.Store(at(first, second))
			before := map[*sidecar]int64{}
			for _, one := range f.sidecars {
				before[one] = one.streams.Load()
			}
			took, err := f.wait(ctx, "every stream has moved", func(one *sidecar) bool { return one.streams.Load() > before[one] })
			if s.table.must("every stream is moved when its connection is old", err); err != nil {
				return nil //nolint:nilerr // the table holds it
			}
			there, err := second.metric(ctx, "probeshift_discovery_streams")
			if err != nil {
				return err
			}
			s.table.add(fmt.Sprintf("a second replica joins one with %d sidecars, connections of %s", s.plan.few, s.plan.age), "after %s it has %.0f of them",
				took.Round(100*time.Millisecond), there)
			_, err = s.changes(ctx, f, s.plan.changes/5)
			s.table.must("no change is lost while streams move", err)
			s.table.must("what sidecars know meanwhile is what is so", f.check(s.cluster))
			f.stop()
			return nil
		}, age)
	}, age)
}

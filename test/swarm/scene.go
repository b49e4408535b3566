package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	latencyTarget = time.Second
	memoryTarget  = 150 << 20
)

// scene is what the parts of the program share.
type scene struct {
	plan    plan
	cluster *cluster
	webhook string
	dir     string
	out     io.Writer
	table   *table
}

// endpoints is how many endpoints there are.
func (s *scene) endpoints() int { return largeSize + s.plan.services*sliceSize }

// with starts discovery and plays a part with it.
func (s *scene) with(ctx context.Context, play func(context.Context, *discovery) error, flags ...string) error {
	d, err := startDiscovery(ctx, s.cluster.client, s.webhook, s.cluster.kubeconfig, "discovery", flags...)
	if err != nil {
		return err
	}
	return errors.Join(play(ctx, d), d.stop())
}

// at is where sidecars reach some replicas.
func at(replicas ...*discovery) *target {
	t := &target{roots: replicas[0].roots}
	for _, r := range replicas {
		t.addresses = append(t.addresses, r.address)
	}
	return t
}

// started starts so many sidecars and waits until all have their answers.
func (s *scene) started(ctx context.Context, count int, to *target) (*fleet, time.Duration, error) {
	f := newFleet(s.cluster, 0, count, to)
	f.start(ctx)
	took, err := f.answered(ctx)
	if err != nil {
		f.stop()
		return nil, 0, err
	}
	return f, took, nil
}

// changes makes so many changes of the large Service, one after the other, and
// returns how long each sidecar took to see each.
func (s *scene) changes(ctx context.Context, f *fleet, count int) (all []time.Duration, err error) {
	for i := range count {
		took, err := f.see(ctx, s.cluster, s.cluster.services[0], i*7%largeSize)
		all = append(all, took...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// few measures latency, bytes and CPU with sidecars as a cluster of usual size has
// them.
func (s *scene) few(ctx context.Context) error {
	fmt.Fprintf(s.out, "%d sidecars, %d endpoints\n", s.plan.few, s.endpoints())
	return s.with(ctx, func(ctx context.Context, d *discovery) error {
		f, _, err := s.started(ctx, s.plan.few, at(d))
		if err != nil {
			return err
		}
		defer f.stop()
		before := f.received()
		took, err := s.changes(ctx, f, s.plan.changes)
		if err != nil {
			s.table.must("every sidecar sees every change", err)
			return nil
		}
		p99 := quantile(took, .99)
		s.table.hold(fmt.Sprintf("push latency, %d sidecars, %d changes", s.plan.few, s.plan.changes), p99 < latencyTarget, "p99 < 1 s", "%s", latency(took))
		s.table.add("bytes on the wire of one changed endpoint of 500, a sidecar", "%d", (f.received()-before)/int64(s.plan.few*s.plan.changes))
		s.table.must("what sidecars know afterwards is what is so", f.check(s.cluster))
		f.stop()
		return s.rollout(ctx, d)
	})
}

// rollout replaces every Pod of the large Service while many sidecars ask for it.
func (s *scene) rollout(ctx context.Context, d *discovery) error {
	fmt.Fprintf(s.out, "a rollout of %d Pods before %d sidecars\n", largeSize, s.plan.rollout)
	f, _, err := s.started(ctx, s.plan.rollout, at(d))
	if err != nil {
		return err
	}
	defer f.stop()
	cpu, err := d.cpu()
	if err != nil {
		return err
	}
	pushes, err := d.metric(ctx, "probeshift_discovery_pushes_total")
	if err != nil {
		return err
	}
	bytes, begin := f.received(), time.Now()
	for done := 0; done < largeSize-1; done += s.plan.step {
		next := time.After(s.plan.pause)
		if err := s.cluster.replace(ctx, s.cluster.services[0], done, min(s.plan.step, largeSize-1-done)); err != nil {
			return err
		}
		<-next
	}
	_, err = f.see(ctx, s.cluster, s.cluster.services[0], largeSize-1)
	s.table.must("every sidecar sees the end of a rollout", err)
	took := time.Since(begin)
	cpuAfter, err := d.cpu()
	if err != nil {
		return err
	}
	pushesAfter, err := d.metric(ctx, "probeshift_discovery_pushes_total")
	if err != nil {
		return err
	}
	s.table.add(fmt.Sprintf("CPU of a rollout of %d Pods in %s to %d sidecars", largeSize, took.Round(100*time.Millisecond), s.plan.rollout),
		"%s (%.0f pushes, %s)", (cpuAfter - cpu).Round(time.Millisecond), pushesAfter-pushes, mebibytes(f.received()-bytes))
	s.table.must("what sidecars know after a rollout is what is so", f.check(s.cluster))
	return nil
}

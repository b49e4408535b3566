package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The targets of what the sidecar costs.
const (
	addedMedian  = 400 * time.Microsecond
	addedTail    = 800 * time.Microsecond
	ofFloor      = 1.1        // of what an Envoy takes that only forwards
	ownMemory    = 18_000_000 // bytes, with one upstream
	eachUpstream = 400_000    // bytes, for each more
	listening    = 250 * time.Millisecond
)

// showCost measures time and memory.
func showCost(ctx context.Context, b *bed) error {
	if err := b.showLatency(ctx); err != nil {
		return err
	}
	return b.showSizes(ctx)
}

// showLatency sends 200 requests a second straight to a backend, through an Envoy
// that only forwards and through the sidecar, in turns, so that what else the
// machine does meets all of them.
func (b *bed) showLatency(ctx context.Context) error {
	p, through, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(through)
	direct, err := dial(b.backends[0].port(grpcPort))
	if err != nil {
		return err
	}
	defer hangUp(direct)
	forwarder, stopForwarder, err := b.startForwarder(ctx)
	if err != nil {
		return err
	}
	defer stopForwarder()
	turns := pick(b, 8, 2)
	const turn = 4 * time.Second
	var straight, forwarded, around outcomes
	var used time.Duration
	for range turns {
		some, err := loadFor(ctx, direct, turn)
		if err != nil {
			return err
		}
		straight = append(straight, some...)
		if some, err = loadFor(ctx, forwarder, turn); err != nil {
			return err
		}
		forwarded = append(forwarded, some...)
		before, err := p.cpu()
		if err != nil {
			return err
		}
		if some, err = loadFor(ctx, through, turn); err != nil {
			return err
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		used += after - before
		around = append(around, some...)
	}
	for _, one := range []struct {
		name    string
		percent float64
		target  time.Duration
	}{{"p50", 50, addedMedian}, {"p99", 99, addedTail}} {
		with, without := around.percentile(one.percent), straight.percentile(one.percent)
		b.figure(with-without <= one.target, "added "+one.name+" at 200 requests/s", "at most "+milliseconds(one.target),
			"%s (%s, direct %s)", milliseconds(with-without), milliseconds(with), milliseconds(without))
		floor := forwarded.percentile(one.percent)
		b.figure(float64(with) <= ofFloor*float64(floor), "the same "+one.name+", beside an Envoy that only forwards", fmt.Sprintf("at most %.2f times", ofFloor),
			"%.2f times (it adds %s)", float64(with)/float64(floor), milliseconds(floor-without))
	}
	b.figure(true, "CPU of the sidecar at 200 requests/s", "reported", "%.0f µs a request, %.1f %% of a core",
		float64(used.Microseconds())/float64(len(around)), 100*used.Seconds()/(time.Duration(turns)*turn).Seconds())
	return p.stop()
}

// showSizes starts Pods with many upstreams.
func (b *bed) showSizes(ctx context.Context) error {
	var first int64
	for _, n := range []int{1, 10, 50} {
		var list []string
		for i := range n {
			name := fmt.Sprintf("greeter-%d", i)
			list = append(list, fmt.Sprintf("%s:%d", name, grpcPort))
			b.names.set(name+"."+namespace+".svc."+clusterDomain+".", addresses(b.backends)...)
		}
		p, err := b.startPod(ctx, upstreams(list...))
		if err != nil {
			return err
		}
		if err := b.useAll(ctx, p, n); err != nil {
			return err
		}
		own, all, err := p.resident()
		if err != nil {
			return err
		}
		target := int64(ownMemory)
		if n == 1 {
			first = own
		} else {
			target = first + int64(n-1)*eachUpstream
		}
		b.figure(own <= target, fmt.Sprintf("own memory (RssAnon) with %d upstreams, all used", n), fmt.Sprintf("at most %.1f MB", float64(target)/1e6),
			"%.1f MB of %.1f MB resident", float64(own)/1e6, float64(all)/1e6)
		b.figure(p.ready <= listening, fmt.Sprintf("ready with %d upstreams", n), "at most 250 ms", "after %d ms", p.ready.Milliseconds())
		b.figure(true, fmt.Sprintf("size of the patch with %d upstreams", n), "reported", "%.1f KB", float64(p.patchSize)/1e3)
		if err := p.stop(); err != nil {
			return err
		}
	}
	return nil
}

// useAll makes calls through every listener.
func (b *bed) useAll(ctx context.Context, p *pod, n int) error {
	const calls = 20
	for i := range n {
		connection, err := dial(fmt.Sprintf("%s:%d", p.Spec.HostAliases[i].IP, grpcPort))
		if err != nil {
			return err
		}
		_, err = collect(ctx, calls, 1, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
		hangUp(connection)
		if err != nil {
			return err
		}
	}
	return nil
}

// cpu is the CPU time that the sidecar has used.
func (p *pod) cpu() (time.Duration, error) { return cpuOf(p.process.Process.Pid) }

// cpuOf is the CPU time that a process has used, all threads together. Linux
// keeps it in nanoseconds behind the clock whose number is made of the process
// id (clock_getcpuclockid); /proc/PID/stat rounds it to 10 ms.
func cpuOf(process int) (time.Duration, error) {
	const schedulerClock = 2
	clock := ^int32(process)<<3 | schedulerClock //nolint:gosec // a process id fits
	var used unix.Timespec
	if err := unix.ClockGettime(clock, &used); err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", process, err)
	}
	return time.Duration(used.Nano()), nil
}

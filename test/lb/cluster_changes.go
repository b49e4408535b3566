package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// change is something that happens to the servers under load. They end at once
// when they are told to.
type change struct {
	what string
	do   func(ctx context.Context) error
}

// changes are all of them, in order. They begin with three servers.
func (c *cluster) changes() []change {
	rolling := change{"a rolling restart of 6 that exit at once", restart}
	if !c.discovery && c.dnsCache == 0 {
		rolling = change{"a rolling restart of 6 that exit at once, one at a time", restartOneAtATime}
	}
	return []change{
		{"3 Pods become 6", scaleTo(6)},
		rolling,
		{"6 become 2, which exit at once", scaleTo(2)},
		{"2 become 8", scaleTo(8)},
		{"kill -9 of one of 8", killOne},
		{"readiness of 3 of 8 fails for 10 s, one after the other", turnReadiness},
		{"8 become 3, which exit at once", scaleTo(3)},
	}
}

// scaleTo changes the number of servers.
func scaleTo(n int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := inShop(ctx, "scale", "deployment/greeter", "--replicas="+strconv.Itoa(n))
		return err
	}
}

// restart replaces all servers, as many at a time as a Deployment does by default:
// with six of them three, so that all may be others after 3 s.
func restart(ctx context.Context) error {
	_, err := inShop(ctx, "rollout", "restart", "deployment/greeter")
	return err
}

// restartOneAtATime replaces them in the way in which none is missing and one is
// too many.
func restartOneAtATime(ctx context.Context) error {
	const strategy = `{"spec": {"strategy": {"rollingUpdate": {"maxSurge": %s, "maxUnavailable": %s}}}}`
	if _, err := inShop(ctx, "patch", "deployment", "greeter", "--patch", fmt.Sprintf(strategy, "1", "0")); err != nil {
		return err
	}
	if err := restart(ctx); err != nil {
		return err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return err
	}
	_, err := inShop(ctx, "patch", "deployment", "greeter", "--patch", fmt.Sprintf(strategy, `"25%"`, `"25%"`))
	return err
}

// signalServer sends a signal to the process of a server. The container that
// holds the Pod's process namespace is its process 1, not the server.
func signalServer(ctx context.Context, name, signal string) error {
	_, err := inShop(ctx, "exec", name, "--container=server", "--", "/lb", signalCommand, "--signal="+signal, "--program=lb")
	return err
}

// killOne kills a server. The kubelet starts it again.
func killOne(ctx context.Context) error {
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	return signalServer(ctx, servers[0], "SIGKILL")
}

// turnReadiness has some servers say that they are not ready, and after a while
// that they are again. They serve all the time.
func turnReadiness(ctx context.Context) error {
	const some, away = 3, 10 * time.Second
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	for _, name := range servers[:min(some, len(servers))] {
		for range 2 {
			if err := signalServer(ctx, name, "SIGUSR1"); err != nil {
				return err
			}
			if err := pause(ctx, away); err != nil {
				return err
			}
		}
	}
	return nil
}

// enough is the least that a window may hold, in percent of what was sent.
func (c *cluster) enough() int {
	if c.discovery {
		return 70
	}
	return 40
}

// settled is how long after a change the sidecar must have followed it, and those
// servers must have ended that go by it.
func (c *cluster) settled() time.Duration {
	if c.discovery {
		return c.stays + 3*windowLength
	}
	return c.stays + c.dnsCache + followed + 2*windowLength
}

// under does something to the servers and returns what a client saw from then
// until the sidecar must have followed, and what became of the requests that
// failed.
func (c *cluster) under(ctx context.Context, client string, do func(ctx context.Context) error) (windows, fates, error) {
	servers, err := ready(ctx)
	if err != nil {
		return nil, fates{}, err
	}
	begun, err := followBegun(ctx)
	if err != nil {
		return nil, fates{}, err
	}
	defer begun.stop()
	before, err := windowsOf(ctx, client)
	if err != nil {
		return nil, fates{}, err
	}
	if err := do(ctx); err != nil {
		return nil, fates{}, err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return nil, fates{}, err
	}
	if err := pause(ctx, c.settled()); err != nil {
		return nil, fates{}, err
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return nil, fates{}, err
	}
	now, err := podNames(ctx)
	if err != nil {
		return nil, fates{}, err
	}
	// The window under way at the change is the next one; the last was before.
	seen := after.since(before.number())
	lost := begun.of(seen)
	lost.silent = begun.withoutLastLine(slices.DeleteFunc(servers, func(name string) bool { return slices.Contains(now, name) }))
	return seen, lost, nil
}

// showChanges changes the servers under load.
func (c *cluster) showChanges(ctx context.Context) error {
	slicesOf, err := watchSlices(ctx, "greeter")
	if err != nil {
		return err
	}
	defer slicesOf.stop()
	before, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	for _, step := range c.changes() {
		seen, lost, err := c.under(ctx, client, step.do)
		if err != nil {
			return err
		}
		servers, err := ready(ctx)
		if err != nil {
			return err
		}
		last := seen[max(0, len(seen)-2):].answers()
		c.followedRow(len(last) == len(servers), step.what, len(servers), len(last))
		c.lossless(lost.met() && seen.worst() >= c.enough(), step.what+": requests, 200/s",
			fmt.Sprintf("none fails but those in flight, no window below %d %%", c.enough()), "%s%s", seen.show(), lost.text())
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	c.showTimes(slicesOf.times(after.since(before.number())))
	return nil
}

// followedRow says whether those that are ready serve, and no others.
func (c *cluster) followedRow(met bool, what string, want, got int) {
	within := fmt.Sprintf("DNS cache (%s) + refresh + 2 s", c.dnsCache)
	if c.discovery {
		within = "a second"
	}
	c.row(met, what, fmt.Sprintf("within %s the %d serve", within, want), "%d serve", got)
}

// showTimes shows how soon changes of the slices were followed.
func (c *cluster) showTimes(t times) {
	const second = time.Second
	for _, one := range []struct {
		what string
		took []time.Duration
	}{
		{"from a slice with a new Pod to its first answer", t.arrived},
		{"from a slice without a Pod to its last answer", t.left},
	} {
		p99 := percentileOf(one.took, 99)
		c.figure(len(one.took) > 0 && p99 <= second, one.what, "p99 under 1 s", "p50 %s, p99 %s of %d", milliseconds(percentileOf(one.took, 50)), milliseconds(p99), len(one.took))
	}
}

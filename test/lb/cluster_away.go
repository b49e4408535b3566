package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// discoveryPods selects the Pods of discovery.
const discoveryPods = "--selector=app.kubernetes.io/component=discovery"

// stay is how long nothing may change for a client that runs.
const stay = 15 * time.Second

// showAway takes discovery away in several ways and brings it back.
func (c *cluster) showAway(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(ctx context.Context) error
	}{
		{"discovery is rolled out", rollDiscovery},
		{"the Pods of discovery are deleted", deleteDiscovery},
		{"discovery is scaled to 0", scaleDiscovery(0)},
	} {
		if err := c.showStays(ctx, step.what, step.do); err != nil {
			return err
		}
	}
	if err := c.showMeanwhile(ctx); err != nil {
		return err
	}
	if err := c.showReplaced(ctx); err != nil {
		return err
	}
	return c.showBack(ctx)
}

// scaleDiscovery changes the number of its Pods and waits until they are there,
// or gone.
func scaleDiscovery(n int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if err := inProduct(ctx, "scale", "deployment/"+discoveryName, "--replicas="+strconv.Itoa(n)); err != nil {
			return err
		}
		if n == 0 {
			return inProduct(ctx, "wait", "--for=delete", "pod", discoveryPods, "--timeout=60s")
		}
		return inProduct(ctx, "rollout", "status", "deployment/"+discoveryName, "--timeout=3m")
	}
}

// rollDiscovery replaces its Pods one after the other.
func rollDiscovery(ctx context.Context) error {
	if err := inProduct(ctx, "rollout", "restart", "deployment/"+discoveryName); err != nil {
		return err
	}
	return inProduct(ctx, "rollout", "status", "deployment/"+discoveryName, "--timeout=3m")
}

// deleteDiscovery deletes all its Pods at once.
func deleteDiscovery(ctx context.Context) error {
	if err := inProduct(ctx, "delete", "pods", discoveryPods); err != nil {
		return err
	}
	return inProduct(ctx, "rollout", "status", "deployment/"+discoveryName, "--timeout=3m")
}

// showStays does something to discovery that a running client must not notice.
func (c *cluster) showStays(ctx context.Context, what string, do func(ctx context.Context) error) error {
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	before, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	if err := pause(ctx, stay); err != nil {
		return err
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	seen := after.since(before.number())
	even, text := balanced(seen.answers(), servers)
	c.row(even && seen.failures().total() == 0 && seen.worst() >= c.enough(), what, "nothing changes for a client that runs", "%s; %s", text, seen.show())
	return nil
}

// lateClient is a client that starts while discovery is away.
const lateClient = "client-late"

// showMeanwhile starts a client while discovery is away.
func (c *cluster) showMeanwhile(ctx context.Context) error {
	if err := c.startClient(ctx, caller{name: lateClient, annotations: upstreams(greeterTarget).with("protocol", "http")}); err != nil {
		return err
	}
	pod, err := podOf(ctx, lateClient)
	if err != nil {
		return err
	}
	proxy, app := containerStatus(pod, sidecar.ContainerName), containerStatus(pod, "app")
	if proxy.State.Running == nil || app.State.Running == nil {
		return fmt.Errorf("the Pod of %s does not run both containers", lateClient)
	}
	const windowsToSee = 4
	seen, err := next(ctx, lateClient, windowsToSee)
	if err != nil {
		return err
	}
	c.row(seen.failures().total() == 0 && seen.worst() >= c.enough(), "a client starts meanwhile", "works from DNS", "%s", seen.show())
	took := app.State.Running.StartedAt.Sub(proxy.State.Running.StartedAt.Time)
	// The kubelet tells whole seconds, so that 1.5 s may look like two.
	const soon = 2 * time.Second
	c.figure(took <= soon, "from the start of its sidecar to that of its app", "1.5 s", "%s, in whole seconds", took)
	return nil
}

// showReplaced replaces all servers while discovery is away: the members that
// the sidecar knows are all gone, and DNS is the way out.
func (c *cluster) showReplaced(ctx context.Context) error {
	const away = 2 * time.Minute
	begin := time.Now()
	before, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	if err := restart(ctx); err != nil {
		return err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return err
	}
	replaced, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	if err := pause(ctx, away-time.Since(begin)); err != nil {
		return err
	}
	all, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	limit := max(15*time.Second, c.dnsCache+followed)
	// The window under way when the last server was replaced counts as well.
	since := all.since(replaced.number())
	grace := min(int(limit/windowLength)+1, len(since))
	meanwhile := all.since(before.number())
	meanwhile, later := meanwhile[:len(meanwhile)-len(since)+grace], since[grace:]
	whole := len(since)
	for whole > 0 && since[whole-1:].failures().total() == 0 && since[whole-1:].worst() >= c.enough() {
		whole--
	}
	c.row(later.failures().total() == 0 && later.worst() >= c.enough(), "discovery away while all servers are replaced",
		fmt.Sprintf("whole after %s; then none fails, no window below %d %%", limit, c.enough()),
		"whole after %s; until then %s; after it %s", time.Duration(whole)*windowLength, meanwhile.show(), later.show())
	return nil
}

// showBack brings discovery back. Clients follow it again, those too that never
// had reached it.
func (c *cluster) showBack(ctx context.Context) error {
	const limit = 10 * time.Second
	if err := scaleDiscovery(2)(ctx); err != nil {
		return err
	}
	back := time.Now()
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, limit+2*windowLength); err != nil {
		return err
	}
	for _, who := range []struct{ name, what string }{
		{client, "discovery is back: a client that ran before"},
		{lateClient, "discovery is back: the client that started meanwhile"},
	} {
		all, err := windowsOf(ctx, who.name)
		if err != nil {
			return err
		}
		took, answered := time.Duration(0), 0
		for _, server := range servers {
			if first, _ := all.sightings(server, back, time.Now()); !first.IsZero() {
				answered++
				took = max(took, first.Sub(back))
			}
		}
		c.row(answered == len(servers) && took <= limit, who.what, "within 10 s all Pods serve it", "%d of %d after %.1f s", answered, len(servers), took.Seconds())
		if err := c.showEven(ctx, who.name, who.what); err != nil {
			return err
		}
	}
	_, err = inShop(ctx, "delete", "deployment", lateClient, "--wait=false")
	return err
}

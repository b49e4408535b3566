package main

import (
	"context"
	"fmt"
	"time"
)

// showLeaving has the servers wait in a preStop sleep until whoever follows them
// has heard that they go. They still end at once then, but nobody asks them any
// more, so that not even what is in flight is lost.
func (c *cluster) showLeaving(ctx context.Context) error {
	const many, few = 6, 2
	c.stays = c.heard()
	defer func() { c.stays = 0 }()
	sleep := fmt.Sprintf(`{"preStop": {"sleep": {"seconds": %d}}}`, int(c.stays.Seconds()))
	if err := scaleTo(many)(ctx); err != nil {
		return err
	}
	if err := c.patchServers(ctx, sleep); err != nil {
		return err
	}
	for _, step := range []change{
		{fmt.Sprintf("a rolling restart of %d that end at once after a preStop sleep of %s", many, c.stays), restart},
		{fmt.Sprintf("%d become %d, which do so too", many, few), scaleTo(few)},
	} {
		seen, lost, err := c.under(ctx, client, step.do)
		if err != nil {
			return err
		}
		const enough = 90
		c.row(seen.failures().total() == 0 && seen.worst() >= enough, step.what+": requests, 200/s",
			fmt.Sprintf("none fails, no window below %d %%", enough), "%s%s", seen.show(), lost.text())
	}
	c.stays = 0
	return c.patchServers(ctx, "null")
}

// heard is how long after a server has left it may still be asked.
func (c *cluster) heard() time.Duration {
	if c.discovery {
		return 3 * time.Second
	}
	return c.dnsCache + followed + 2*time.Second
}

// patchServers replaces the servers by others with that lifecycle and waits until
// those before have gone and it is known.
func (c *cluster) patchServers(ctx context.Context, lifecycle string) error {
	const grace = 5
	patch := fmt.Sprintf(`{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": %d, "containers": [{"name": "server", "lifecycle": %s}]}}}}`,
		int(c.stays.Seconds())+grace, lifecycle)
	if _, err := inShop(ctx, "patch", "deployment", "greeter", "--patch", patch); err != nil {
		return err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return err
	}
	return pause(ctx, c.settled())
}

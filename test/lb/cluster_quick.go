package main

import (
	"context"
	"fmt"
)

// showQuickRollout replaces all servers within less time than passes between two
// looks at DNS, where DNS does not cache: then every address that a sidecar knows
// may be dead. Looking more often is what helps.
func (c *cluster) showQuickRollout(ctx context.Context) error {
	if c.dnsCache > 0 {
		return nil // then it takes the cache, however often the sidecar looks
	}
	if err := scaleTo(6)(ctx); err != nil {
		return err
	}
	for _, refresh := range []string{"5s", "1s"} {
		one := caller{name: "client-" + refresh, annotations: upstreams(greeterTarget).with("protocol", "http").with("dns-refresh", refresh)}
		if err := c.startClient(ctx, one); err != nil {
			return err
		}
		if err := rolledOut(ctx, "greeter"); err != nil {
			return err
		}
		if err := c.served(ctx, one.name); err != nil {
			return err
		}
		if err := pause(ctx, c.settled()); err != nil {
			return err
		}
		seen, lost, err := c.under(ctx, one.name, restart)
		if err != nil {
			return err
		}
		r := row{
			What: fmt.Sprintf("a rolling restart of 6 that exit at once, 3 at a time, dns-refresh %s: requests, 200/s", refresh),
			Seen: seen.show() + lost.text(), Met: true,
		}
		if refresh == "5s" {
			r.Wanted, r.Figure = "reported", true
		} else {
			r.Wanted = fmt.Sprintf("none fails but those in flight, no window below %d %%", c.enough())
			r.Met = lost.met() && seen.worst() >= c.enough()
		}
		c.table.add(r)
		if _, err := inShop(ctx, "delete", "deployment", one.name); err != nil {
			return err
		}
	}
	return nil
}

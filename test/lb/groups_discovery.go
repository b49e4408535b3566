package main

import (
	"context"
	"time"
)

// discoveryGroups are those whose sidecars follow discovery.
func discoveryGroups() []group {
	const limit = 5 * time.Minute
	all := []group{
		{name: "discovery", run: showKinds, limit: limit},
		{name: "discovery-changes", run: showChanges, limit: 10 * time.Minute},
		{name: "discovery-changes-clusterip", run: showChangesClusterIP, limit: limit, long: true},
		{name: "discovery-away", run: showAway, limit: 15 * time.Minute},
		{name: "discovery-stale", run: showStale, limit: limit, long: true},
		{name: "discovery-stale-clusterip", run: showStaleClusterIP, limit: limit, long: true},
		{name: "discovery-blackhole", run: showBlackHole, limit: limit, long: true},
		{name: "discovery-never-empty", run: showNeverEmpty, limit: limit, long: true},
		{name: "discovery-removed", run: showRemoved, limit: limit, long: true},
		// The rows of other groups.
		{name: "discovery-protocols", run: withDiscovery(showProtocols), limit: limit, long: true},
		{name: "discovery-waiting", run: withDiscovery(showWaiting), limit: 15 * time.Minute, long: true, waits: true},
		{name: "discovery-streams", run: withDiscovery(showStreams), limit: limit, long: true, alone: true},
		{name: "discovery-death", run: withDiscovery(showDeath), limit: limit, long: true},
		{name: "discovery-ejection", run: withDiscovery(showEjection), limit: limit, long: true},
		{name: "discovery-sidecar", run: withDiscovery(showSidecar), limit: limit, long: true},
		{name: "discovery-slow-backend", run: withDiscovery(showSlowBackend), limit: limit, long: true, alone: true},

		{name: "discovery-cost", run: showDiscoveryCost, limit: limit, long: true, alone: true},
		{name: "discovery-checks", run: showChecks, limit: limit, long: true, alone: true},
	}
	for i := range all {
		all[i].discovery = true
	}
	return all
}

// withDiscovery shows the rows of another group through pools that follow
// discovery, behind a ClusterIP.
func withDiscovery(run func(context.Context, *bed) error) func(context.Context, *bed) error {
	return func(ctx context.Context, b *bed) error {
		b.prefix = "with discovery: "
		if err := b.createGreeter(ctx, true); err != nil {
			return err
		}
		return run(ctx, b)
	}
}

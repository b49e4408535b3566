package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
)

// showSidecar shows the sidecar itself: that it does not dial itself, that it
// may end, that its admin interface tells two things only.
func showSidecar(ctx context.Context, b *bed) error {
	p, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showNoLoop(ctx, p, connection); err != nil {
		return err
	}
	b.showAdmin(ctx, p)
	return b.showRestart(ctx, p, connection)
}

// showNoLoop makes calls where the alias and the backend have the same name.
func (b *bed) showNoLoop(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const calls, limit = 2000, 64 << 20
	seen, err := collect(ctx, calls, 8, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	if err != nil {
		return err
	}
	exported, err := p.stats(ctx)
	if err != nil {
		return err
	}
	own, _, err := p.resident()
	if err != nil {
		return err
	}
	accepted := exported.sum(connectionsMetric, greeterPool)
	b.row(own < limit && seen.total() == calls && len(seen) == len(b.backends) && accepted == 1, "alias and backend have the same name", "no loop: memory, backends, connections",
		"%.1f MB own, %d backends, %.0f connections", float64(own)/1e6, len(seen), accepted)
	series := exported.count(endpointMetric, greeterPool)
	b.row(series == len(b.backends), "requests by backend Pod in the metrics", "one series for each", "%d series", series)
	return nil
}

// showAdmin asks the metrics port for more than it shall tell.
func (b *bed) showAdmin(ctx context.Context, p *pod) {
	base := "http://" + net.JoinHostPort(podIP.String(), p.sidecar.StartupProbe.HTTPGet.Port.String())
	right := true
	for path, want := range map[string]int{
		"/ready": http.StatusOK, "/stats/prometheus": http.StatusOK,
		"/": http.StatusForbidden, "/stats": http.StatusForbidden, "/config_dump": http.StatusForbidden, "/clusters": http.StatusForbidden,
		"/quitquitquit": http.StatusForbidden, "/ready/": http.StatusForbidden, "/stats/prometheus/../../config_dump": http.StatusForbidden,
	} {
		right = right && statusOf(ctx, base+path) == want
	}
	b.row(right, "paths of the metrics port", "/ready, /stats/prometheus, else 403", "so it is: %t", right)
}

// showRestart kills the sidecar and starts it again, as the kubelet does.
func (b *bed) showRestart(ctx context.Context, p *pod, connection *grpc.ClientConn) error {
	const limit, deadline = 10 * time.Second, time.Second
	if err := p.stop(); err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	took, err := until(ctx, limit, func() bool {
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		_, err := say(ctx, connection, ask{}, grpc.WaitForReady(true))
		return err == nil
	})
	b.row(err == nil, "the sidecar is killed and started again", "the application reconnects", "after %.1f s %s", took.Seconds(), problemText(err))
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// way is a way to learn a pool's members, for rows that compare the two.
type way struct {
	name   string
	policy sidecar.Policy
}

// ways are both.
func (b *bed) ways() []way {
	return []way{{"DNS alone", b.withoutDiscovery()}, {"discovery", b.policy}}
}

// showDiscoveryCost measures what a sidecar costs that follows discovery, beside
// one that does not.
func showDiscoveryCost(ctx context.Context, b *bed) error {
	if err := b.showLatencies(ctx); err != nil {
		return err
	}
	return b.showSizesOfBoth(ctx)
}

// showLatencies sends 200 requests a second straight to a backend and through
// either sidecar, in turns, so that what else the machine does meets all.
func (b *bed) showLatencies(ctx context.Context) error {
	const port, turn = 9100, 4 * time.Second
	first, through, err := b.serveGreeter(ctx, 4, false)
	if err != nil {
		return err
	}
	defer hangUp(through)
	before, err := b.startPodBeside(ctx, upstreams(fmt.Sprintf("before:%d=%s", port, greeterTarget)), b.withoutDiscovery())
	if err != nil {
		return err
	}
	other, err := before.dial(0, port)
	if err != nil {
		return err
	}
	defer hangUp(other)
	direct, err := dial(b.backends[0].port(grpcPort))
	if err != nil {
		return err
	}
	defer hangUp(direct)
	const plain = "direct"
	seen, used := map[string]outcomes{}, map[string]time.Duration{}
	turns := pick(b, 8, 2)
	for range turns {
		for _, one := range []struct {
			name       string
			connection *grpc.ClientConn
			pod        *pod
		}{{plain, direct, nil}, {"DNS alone", other, before}, {"discovery", through, first}} {
			began, err := one.pod.cpuOrNone()
			if err != nil {
				return err
			}
			some, err := loadFor(ctx, one.connection, turn)
			if err != nil {
				return err
			}
			ended, err := one.pod.cpuOrNone()
			if err != nil {
				return err
			}
			seen[one.name] = append(seen[one.name], some...)
			used[one.name] += ended - began
		}
	}
	for _, w := range b.ways() {
		for _, one := range []struct {
			name    string
			percent float64
			target  time.Duration
		}{{"p50", 50, addedMedian}, {"p99", 99, addedTail}} {
			with, without := seen[w.name].percentile(one.percent), seen[plain].percentile(one.percent)
			b.figure(with-without <= one.target, "added "+one.name+" at 200 requests/s, "+w.name, "at most "+milliseconds(one.target),
				"%s (%s, direct %s)", milliseconds(with-without), milliseconds(with), milliseconds(without))
		}
		b.figure(true, "CPU of the sidecar at 200 requests/s, "+w.name, "reported", "%.0f µs a request, %.1f %% of a core",
			float64(used[w.name].Microseconds())/float64(len(seen[w.name])), 100*used[w.name].Seconds()/(time.Duration(turns)*turn).Seconds())
	}
	if err := before.stop(); err != nil {
		return err
	}
	return first.stop()
}

// cpuOrNone is the CPU time of a Pod's sidecar, 0 without a Pod.
func (p *pod) cpuOrNone() (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	return p.cpu()
}

// showSizesOfBoth starts Pods with many upstreams. All are of protocol http: of
// auto no 50 fit into an argument with discovery.
func (b *bed) showSizesOfBoth(ctx context.Context) error {
	sizes := []int{1, 10, 50}
	var list []string
	for i := range sizes[len(sizes)-1] {
		s := &service{bed: b, name: fmt.Sprintf("greeter-%d", i), namespace: namespace, port: grpcPort}
		if err := s.create(ctx); err != nil {
			return err
		}
		if err := s.becomes(ctx, b.backends...); err != nil {
			return err
		}
		list = append(list, fmt.Sprintf("%s:%d", s.name, s.port))
	}
	for _, w := range b.ways() {
		b.policy = w.policy
		for _, n := range sizes {
			p, err := b.startPod(ctx, upstreams(list[:n]...).with("protocol", "http"))
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
			b.figure(true, fmt.Sprintf("%d upstreams (http), all used, %s", n, w.name), "reported",
				"%.1f MB own (RssAnon) of %.1f MB resident, ready after %d ms, patch %.1f KB", float64(own)/1e6, float64(all)/1e6, p.ready.Milliseconds(), float64(p.patchSize)/1e3)
			if err := p.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// showChecks measures what the TCP health checks cost: a sidecar that checks so
// many endpoints, and a backend that is checked by so many sidecars.
func showChecks(ctx context.Context, b *bed) error {
	spell := pick(b, 30*time.Second, 10*time.Second)
	for _, size := range []int{50, 500} {
		for _, check := range []string{"none", "tcp"} {
			if err := b.showChecking(ctx, size, check, spell); err != nil {
				return err
			}
		}
	}
	// Of 50 endpoints and 100 sidecars, and of 500 and 500: each backend is
	// connected to by every sidecar once an interval.
	for _, size := range []int{100, 500} {
		if err := b.showChecked(ctx, size, spell); err != nil {
			return err
		}
	}
	return nil
}

// manyEndpoints is a network of addresses that are all of one backend.
const manyEndpoints = "10.245.0.0/16"

// showChecking leaves a sidecar with that many endpoints alone.
func (b *bed) showChecking(ctx context.Context, size int, check string, spell time.Duration) error {
	const port = 9100
	s := &service{bed: b, name: fmt.Sprintf("many-%d-%s", size, check), namespace: namespace, port: grpcPort}
	if err := s.create(ctx); err != nil {
		return err
	}
	if len(b.backends) == 0 {
		if err := ip(ctx, "route", "add", "local", manyEndpoints, "dev", "lo"); err != nil {
			return err
		}
		be, err := startBackend(ctx, netip.IPv4Unspecified())
		if err != nil {
			return err
		}
		b.backends = append(b.backends, be)
	}
	var endpoints []*backend
	for address := netip.MustParsePrefix(manyEndpoints).Addr().Next(); len(endpoints) < size; address = address.Next() {
		endpoints = append(endpoints, &backend{address: address})
	}
	const most = 100 // endpoints that the endpoint controller puts into a slice
	for i := 0; i < size; i += most {
		if err := s.write(ctx, s.slice(strconv.Itoa(i), endpoints[i:min(i+most, size)]...)); err != nil {
			return err
		}
	}
	p, err := b.startPod(ctx, upstreams(fmt.Sprintf("many:%d=%s:%d", port, s.name, grpcPort)).with("health-check", check))
	if err != nil {
		return err
	}
	label := fmt.Sprintf(`"%s_%s_%d"`, s.name, namespace, grpcPort)
	if _, err := until(ctx, checkInterval, func() bool {
		exported, err := p.stats(ctx)
		return err == nil && int(exported.sum(healthyMetric, label)) == size
	}); err != nil {
		return err
	}
	began, opened, err := p.cpuAndConnections()
	if err != nil {
		return err
	}
	if err := pause(ctx, spell); err != nil {
		return err
	}
	ended, openedSince, err := p.cpuAndConnections()
	if err != nil {
		return err
	}
	b.figure(true, fmt.Sprintf("a sidecar with %d endpoints and no traffic, health-check %s", size, check), "reported",
		"%.1f connections a second, %.2f %% of a core", float64(openedSince-opened)/spell.Seconds(), 100*(ended-began).Seconds()/spell.Seconds())
	return p.stop()
}

// cpuAndConnections are the CPU time of a sidecar and how many connections were
// opened in the bed so far.
func (p *pod) cpuAndConnections() (time.Duration, int, error) {
	used, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	opened, err := opened()
	return used, opened, err
}

// opened is how many TCP connections were opened in the bed so far: the field
// ActiveOpens of /proc/net/snmp.
func opened() (int, error) {
	content, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(content)) {
		values := strings.Fields(line)
		if len(values) == 0 || values[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = values
			continue
		}
		for i, name := range names {
			if name == "ActiveOpens" {
				return strconv.Atoi(values[i])
			}
		}
	}
	return 0, errors.New("/proc/net/snmp does not count connections")
}

// showChecked connects to a backend as the checks of that many sidecars do.
func (b *bed) showChecked(ctx context.Context, sidecars int, spell time.Duration) error {
	be := b.backends[0]
	target := net.JoinHostPort("127.0.0.1", strconv.Itoa(grpcPort))
	before, err := cpuOf(be.process.Process.Pid)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(checkInterval / time.Duration(sidecars))
	defer ticker.Stop()
	connections := 0
	for end := time.Now().Add(spell); time.Now().Before(end); connections++ {
		<-ticker.C
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err != nil {
			return err
		}
		hangUp(connection)
	}
	after, err := cpuOf(be.process.Process.Pid)
	if err != nil {
		return err
	}
	b.figure(true, fmt.Sprintf("a grpc-go backend that %d sidecars check", sidecars), "reported", "%.0f connections a second, %.2f %% of a core",
		float64(connections)/spell.Seconds(), 100*(after-before).Seconds()/spell.Seconds())
	return nil
}

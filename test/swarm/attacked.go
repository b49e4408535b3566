package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

// hostile is a kind of client that wants more than it should have. It goes on
// until ctx ends; each has an address of its own.
type hostile struct {
	name string
	// times is how many there are at once.
	times int
	play  func(ctx context.Context, to *target, from string)
}

// hostiles are all kinds.
func hostiles() []hostile {
	everything := func(requests ...*discoverygrpc.DeltaDiscoveryRequest) func(context.Context, *target, string) {
		return func(ctx context.Context, to *target, from string) { stubborn(ctx, to, from, 1, true, requests...) }
	}
	large := fmt.Sprintf("%s/large:%d", shop, port)
	return []hostile{
		{"asks for everything", 2, everything(&discoverygrpc.DeltaDiscoveryRequest{})},
		{"asks for *", 2, everything(&discoverygrpc.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"*"}})},
		{"asks for 10,000 names", 1, everything(&discoverygrpc.DeltaDiscoveryRequest{ResourceNamesSubscribe: invented(large+"@zone", 10000)})},
		{"asks for a name of 1 MB", 1, everything(&discoverygrpc.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{strings.Repeat("x", 1<<20)}})},
		{"invents zones and never reads", 128, func(ctx context.Context, to *target, from string) {
			zones := invented(fmt.Sprintf("%s@%08x", large, rand.Uint32()), 100)
			stubborn(ctx, to, from, 4, false, &discoverygrpc.DeltaDiscoveryRequest{ResourceNamesSubscribe: zones})
		}},
		{"asks again and again", 4, func(ctx context.Context, to *target, from string) {
			var requests []*discoverygrpc.DeltaDiscoveryRequest
			for range 10000 {
				requests = append(requests, &discoverygrpc.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{large}},
					&discoverygrpc.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{large}})
			}
			stubborn(ctx, to, from, 4, true, requests...)
		}},
		{"sends garbage", 2, garbage},
		{"does not trust the certificate", 1, distrusting},
		{"says nothing", 600, silent},
	}
}

// invented are names that begin alike, of zones that there are not.
func invented(name string, count int) []string {
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf("%s-%d", name, i))
	}
	return all
}

// stubborn opens streams on one connection, sends requests, reads or does not, and
// begins again when a stream ends.
func stubborn(ctx context.Context, to *target, from string, streams int, reads bool, requests ...*discoverygrpc.DeltaDiscoveryRequest) {
	connection, err := connect(to, from, &atomic.Int64{})
	if err != nil {
		return
	}
	defer connection.Close() //nolint:errcheck // whoever is there may go
	var running sync.WaitGroup
	for range streams {
		running.Go(func() {
			for ctx.Err() == nil {
				insist(ctx, connection, reads, requests)
			}
		})
	}
	running.Wait()
}

func insist(ctx context.Context, connection *grpc.ClientConn, reads bool, requests []*discoverygrpc.DeltaDiscoveryRequest) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := discoverygrpc.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(ctx)
	if err != nil {
		return
	}
	go func() {
		for _, r := range requests {
			if stream.Send(&discoverygrpc.DeltaDiscoveryRequest{
				TypeUrl:                resourcev3.EndpointType,
				ResourceNamesSubscribe: r.GetResourceNamesSubscribe(), ResourceNamesUnsubscribe: r.GetResourceNamesUnsubscribe(),
			}) != nil {
				return
			}
		}
	}()
	if !reads {
		<-ctx.Done()
		return
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return
		}
	}
}

// garbage connects and sends what is no TLS.
func garbage(ctx context.Context, to *target, from string) {
	for ctx.Err() == nil {
		raw(ctx, to, from, func(c net.Conn) {
			_, _ = c.Write([]byte(strings.Repeat("garbage\r\n", 1000)))
			_, _ = io.Copy(io.Discard, c)
		})
	}
}

// distrusting breaks off each handshake.
func distrusting(ctx context.Context, to *target, from string) {
	for ctx.Err() == nil {
		raw(ctx, to, from, func(c net.Conn) {
			_ = tls.Client(c, &tls.Config{ServerName: "somebody.else", MinVersion: tls.VersionTLS13}).HandshakeContext(ctx)
		})
	}
}

// silent connects and says nothing.
func silent(ctx context.Context, to *target, from string) {
	for ctx.Err() == nil {
		raw(ctx, to, from, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	}
}

// raw connects without TLS and closes when ctx ends.
func raw(ctx context.Context, to *target, from string, speak func(net.Conn)) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(ctx, "tcp", to.addresses[0])
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close() //nolint:errcheck // whoever is there may go
	speak(c)
}

// attacked measures what sidecars notice of hostile clients.
func (s *scene) attacked(ctx context.Context) error {
	fmt.Fprintf(s.out, "%d sidecars and hostile clients\n", s.plan.few)
	return s.with(ctx, func(ctx context.Context, d *discovery) error {
		f, _, err := s.started(ctx, s.plan.few, at(d))
		if err != nil {
			return err
		}
		defer f.stop()
		before, err := d.cpu()
		if err != nil {
			return err
		}
		attack, end := context.WithCancel(ctx)
		defer end()
		var running sync.WaitGroup
		defer running.Wait()
		defer end()
		for i, h := range hostiles() {
			for range h.times {
				// All of a kind have the same address, as if it were one Pod.
				running.Go(func() { h.play(attack, at(d), fmt.Sprintf("127.200.0.%d", i+1)) })
			}
		}
		var all []time.Duration
		for begin := time.Now(); time.Since(begin) < s.plan.attack && err == nil; {
			var took []time.Duration
			took, err = s.changes(ctx, f, 1)
			all = append(all, took...)
		}
		s.table.must("every sidecar sees every change beside hostile clients", err)
		s.table.must("what sidecars know then is what is so", f.check(s.cluster))
		late := newFleet(s.cluster, s.plan.few, 10, at(d))
		late.start(ctx)
		_, err = late.answered(ctx)
		late.stop()
		s.table.must("sidecars that start beside hostile clients get their answers", err)
		return s.attackTable(ctx, d, all, before)
	})
}

// attackTable adds what hostile clients cost and got.
func (s *scene) attackTable(ctx context.Context, d *discovery, all []time.Duration, before time.Duration) error {
	cpu, err := d.cpu()
	if err != nil {
		return err
	}
	peak, err := d.resident("VmHWM")
	if err != nil {
		return err
	}
	held, err := d.metric(ctx, "probeshift_discovery_resources")
	if err != nil {
		return err
	}
	s.table.add(fmt.Sprintf("push latency, %d sidecars beside hostile clients", s.plan.few), "%s; %s of discovery's CPU, peak %s; %.0f assignments held",
		latency(all), (cpu - before).Round(10*time.Millisecond), mebibytes(peak), held)
	var refused []string
	for _, why := range []string{"wildcard", "too-many-variants", "request-too-large", "handshake", "connections"} {
		n, err := d.metric(ctx, fmt.Sprintf("probeshift_discovery_refused_total{reason=%q}", why))
		if err != nil {
			return err
		}
		refused = append(refused, fmt.Sprintf("%s %.0f", why, n))
		if n == 0 {
			s.table.must("hostile clients are refused as "+why, errors.New("none was counted"))
		}
	}
	s.table.add("refused", "%s", strings.Join(refused, ", "))
	return nil
}

package envoy

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/grpc/codes"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

/*
What Envoy's documentation leaves open about aggregate clusters, and what the
sidecar counts on.
*/

// metric is the value of a series, whose text begins so; zero where there is none.
func (p *proxy) metric(series string) float64 {
	p.t.Helper()
	_, body := p.get("/stats/prometheus")
	for line := range strings.Lines(body) {
		if value, found := strings.CutPrefix(line, series); found {
			number, err := strconv.ParseFloat(strings.TrimSpace(value[strings.LastIndexByte(value, ' ')+1:]), 64)
			if err != nil {
				p.t.Fatalf("%s: %v", line, err)
			}
			return number
		}
	}
	return 0
}

// cluster is the value of a series of one cluster, of those in this file's tests.
func (p *proxy) cluster(name, suffix string) float64 {
	p.t.Helper()
	return p.metric(fmt.Sprintf("envoy_cluster_%s{envoy_cluster_name=%q}", name, "greeter_shop_9000"+suffix))
}

// withoutChecks leaves a pool to what its connections show.
func withoutChecks(b *bootstrapv3.Bootstrap) {
	for _, c := range b.GetStaticResources().GetClusters() {
		c.HealthChecks = nil
	}
}

// withoutEjection leaves hosts in the pool whatever happens to them.
func withoutEjection(b *bootstrapv3.Bootstrap) {
	for _, c := range b.GetStaticResources().GetClusters() {
		c.OutlierDetection = nil
	}
}

func TestRequestsCountAtTheMembersAnswersAndRetriesAtTheAggregate(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4")
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
	c := startClient(t, d, pods[0], withoutChecks)
	pods[3].kill()
	c.calls(t, 200)
	for series, want := range map[[2]string]float64{
		{"upstream_rq_total", ""}:                  200,
		{"upstream_rq_total", "|dns"}:              0,
		{"grpc_total", "|all"}:                     200,
		{"upstream_rq_retry", ""}:                  0,
		{"outlier_detection_ejections_active", ""}: 1,
		{"membership_total", ""}:                   3,
		{"membership_total", "|dns"}:               1,
		{"update_rejected", ""}:                    0,
	} {
		if got := c.proxy.cluster(series[0], series[1]); got != want {
			t.Errorf("%s of greeter%s is %v, want %v", series[0], series[1], got, want)
		}
	}
	retries := c.proxy.cluster("upstream_rq_retry", "|all")
	if retries == 0 || c.proxy.cluster("upstream_rq_retry_success", "|all") != retries {
		t.Errorf("%v retries count at the aggregate, want some, all of which worked", retries)
	}
	for _, p := range pods[1:3] {
		series := fmt.Sprintf("envoy_cluster_endpoint_rq_total{envoy_cluster_name=%q,envoy_endpoint_address=%q}", "greeter_shop_9000", p.at)
		if got, want := c.proxy.metric(series), float64(p.calls.Load()); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if got := c.proxy.metric("envoy_control_plane_connected_state"); got != 1 {
		t.Errorf("connected_state is %v, want 1", got)
	}
	// A name instead of an address makes Envoy refuse the assignment, and keep what
	// it has.
	d.tellName(t, greeterResource, "greeter.shop.svc", pods[1].at.Port())
	answerAfter(t.Context(), t, "the refusal", func() bool { return c.proxy.cluster("update_rejected", "") == 1 })
	d.tell(t, greeterResource)
	answerAfter(t.Context(), t, "the empty assignment", func() bool { return c.proxy.cluster("membership_total", "") == 0 })
	t.Logf("an assignment without endpoints counts as update_empty %v times", c.proxy.cluster("update_empty", ""))
	pods[0].kill()
	answerAfter(t.Context(), t, "that nobody is left", func() bool { return c.call(t.Context()) != nil })
	d.stop()
	answerAfter(t.Context(), t, "that discovery is away", func() bool { return c.proxy.metric("envoy_control_plane_connected_state") == 0 })
}

// With Envoy's own factor of 140 %, 30 % of the requests would go by DNS: to a
// ClusterIP, so to one Pod that is never changed.
func TestWhileAnEndpointIsLeftNothingGoesByDNS(t *testing.T) {
	for factor, wantDNS := range map[uint32]bool{overprovisioned: false, 140: true} {
		t.Run(strconv.Itoa(int(factor)), func(t *testing.T) {
			pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4", "127.0.52.5")
			for _, p := range pods[3:] {
				p.kill()
			}
			d := newDiscovery(t)
			d.serve(t, d.ca, discoveryName)
			d.tellWith(t, greeterResource, factor, addrPorts(pods[1:]...)...)
			c := startClient(t, d, pods[0])
			answerAfter(t.Context(), t, "half of the pool out", func() bool {
				c.calls(t, 10)
				return c.proxy.cluster("membership_healthy", "") == 2
			})
			reached(pods)
			c.calls(t, 500)
			got := reached(pods)
			t.Logf("with half of the pool out and a factor of %d %% the calls went %v, the first by DNS", factor, got)
			if (got[0] > 0) != wantDNS {
				t.Errorf("by DNS went %d, want some: %v", got[0], wantDNS)
			}
		})
	}
}

// One retry is enough when it never goes where the first attempt went.
func TestARetryThroughTheAggregateGoesToAnotherHost(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3")
	pods[2].kill()
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
	c := startClientOf(t, d, pods[0], envoy.HTTP, withoutChecks, withoutEjection)
	failed := 0
	for range 200 {
		if c.call(t.Context()) != nil {
			failed++
		}
	}
	got := reached(pods)
	retries := c.proxy.cluster("upstream_rq_retry", "|all")
	t.Logf("%d of 200 calls failed with %v retries; the calls went %v", failed, retries, got)
	if failed > 0 || got[0] > 0 || retries == 0 || retries > 200 {
		t.Errorf("%d failed, %d by DNS, with %v retries: want no failure, nothing by DNS, and no call with two retries", failed, got[0], retries)
	}
}

// The budget for retries is the aggregate's, which knows no requests of which it
// could take a share: by Envoy's default three may be under way at a time, whatever
// the members have.
func TestTheBudgetForRetriesIsThatOfTheAggregate(t *testing.T) {
	const calls = 2500
	withoutBudget := func(b *bootstrapv3.Bootstrap) {
		for _, c := range b.GetStaticResources().GetClusters() {
			if strings.HasSuffix(c.GetName(), "|all") {
				c.CircuitBreakers = nil
			}
		}
	}
	for name, tc := range map[string]struct {
		change      func(*bootstrapv3.Bootstrap)
		wantDropped bool
	}{
		"as it is":             {func(*bootstrapv3.Bootstrap) {}, false},
		"on the members alone": {withoutBudget, true},
	} {
		t.Run(name, func(t *testing.T) {
			pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3")
			pods[2].kill()
			d := newDiscovery(t)
			d.serve(t, d.ca, discoveryName)
			d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
			c := startClient(t, d, pods[0], withoutChecks, withoutEjection, tc.change)
			var callers sync.WaitGroup
			var failed atomic.Int64
			for range calls {
				callers.Go(func() {
					if c.call(t.Context()) != nil {
						failed.Add(1)
					}
				})
			}
			callers.Wait()
			dropped := c.proxy.cluster("upstream_rq_retry_overflow", "|all")
			t.Logf("of %d calls at once %d failed, %v retries were dropped", calls, failed.Load(), dropped)
			if (dropped > 0) != tc.wantDropped {
				t.Errorf("%v retries were dropped, want any: %v", dropped, tc.wantDropped)
			}
		})
	}
}

// Who is slow gets less, as in a pool without an aggregate in front.
func TestFewerRequestsUnderWayWinThroughTheAggregate(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4", "127.0.52.5")
	pods[4].while.Store(int64(50 * time.Millisecond))
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
	c := startClient(t, d, pods[0])
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				if err := c.call(t.Context()); err != nil {
					t.Errorf("a call: %v", err)
					return
				}
			}
		})
	}
	callers.Wait()
	got := reached(pods)
	t.Logf("of 800 calls the one that is 50 ms slower got %d: %v", got[4], got)
	if fastest := slices.Min(got[1:4]); got[4]*2 > fastest {
		t.Errorf("the slow one got %d calls, want less than half of any other's %d", got[4], fastest)
	}
}

// A deadline ends the call at Envoy too, with the caller's own status: without that
// the server's reset would come first and count against its host.
func TestADeadlineEndsACallThroughTheAggregate(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2")
	pods[1].while.Store(int64(time.Minute))
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, pods[1].at)
	c := startClient(t, d, pods[0])
	// A client of gRPC would end the call itself.
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	plain := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer plain.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.listen.String()+"/shop.Greeter/Greet", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Grpc-Timeout", "100m")
	r, err := plain.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got, want := r.Header.Get("Grpc-Status"), strconv.Itoa(int(codes.DeadlineExceeded)); got != want {
		t.Errorf("the call ended with status %q %q, want %q", got, r.Header.Get("Grpc-Message"), want)
	}
	if got := c.proxy.cluster("outlier_detection_ejections_enforced_total", ""); got > 0 {
		t.Errorf("%v ejections for a deadline", got)
	}
}

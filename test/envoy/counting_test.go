package envoy

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// With discovery an upstream has three pools. What the dashboard and the alerts
// sum over them has to be what happened, not twice or three times that, whether
// discovery or DNS led the requests.
func TestNothingIsCountedTwice(t *testing.T) {
	const calls = 60
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	for sentence, s := range map[string]shop{"without discovery": openShop(t, nil), "with discovery": openShop(t, d)} {
		t.Run(sentence, func(t *testing.T) {
			for upstream, at := range map[string]string{"greeter_shop_9000": s.greeter.String(), "outside_shop_9000": s.outside.String()} {
				conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { hangUp(conn) })
				for range calls {
					// Whatever a Pod says is an answer.
					_, _ = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
				}
				for _, metric := range []string{
					"envoy_cluster_grpc_total", "envoy_cluster_upstream_rq_xx",
					"envoy_cluster_upstream_rq_total", "envoy_cluster_endpoint_rq_total",
				} {
					answerAfter(t.Context(), t, metric+" of "+upstream+" is the number of calls", func() bool {
						got := s.count(t, metric, upstream)
						if got > calls {
							t.Fatalf("%s of %s is %d after %d calls", metric, upstream, got, calls)
						}
						return got == calls
					})
				}
			}
		})
	}
}

// count is the sum of a metric over the pools of an upstream's requests.
func (s shop) count(t *testing.T, metric, upstream string) int {
	t.Helper()
	status, body := s.proxy.get("/stats/prometheus")
	if status != http.StatusOK {
		t.Fatalf("/stats/prometheus answers %d", status)
	}
	line := regexp.MustCompile(`^` + metric + `\{.*envoy_cluster_name="` + upstream + `(\|(dns|all))?".*\} (\d+)$`)
	sum := 0
	for l := range strings.Lines(body) {
		if found := line.FindStringSubmatch(strings.TrimSpace(l)); found != nil {
			n, err := strconv.Atoi(found[len(found)-1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

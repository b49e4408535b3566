package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The metrics that tell of the pool, and of the application's connections.
const (
	connectionsMetric = "envoy_http_downstream_cx_total"
	membersMetric     = "envoy_cluster_membership_total"
	healthyMetric     = "envoy_cluster_membership_healthy"
	activeMetric      = "envoy_cluster_outlier_detection_ejections_active"
	requestsMetric    = "envoy_cluster_upstream_rq_total"
	ejectionsMetric   = "envoy_cluster_outlier_detection_ejections_enforced_total"
	resetsMetric      = "envoy_cluster_upstream_rq_rx_reset"
	endpointMetric    = "envoy_cluster_endpoint_rq_total"
)

// greeterPool is the label of the Service's requests. What is passed through
// has a pool of its own.
const greeterPool = `"greeter_shop_9000"`

// greeterDNSPool is the label of those requests that go to whom DNS names, where
// the pool follows discovery.
const greeterDNSPool = `"greeter_shop_9000|dns"`

// stats are what the sidecar exports, in the text form of Prometheus.
type stats map[string]float64

// stats asks the metrics port.
func (p *pod) stats(ctx context.Context) (stats, error) {
	url := "http://" + net.JoinHostPort(p.ip.String(), p.sidecar.StartupProbe.HTTPGet.Port.String()) + "/stats/prometheus"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for metrics: %s", response.Status)
	}
	return parseStats(response.Body)
}

// parseStats reads the text form. Times stamps, which Envoy does not write, are
// not understood.
func parseStats(text io.Reader) (stats, error) {
	all := stats{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("reading a metric: %w", err)
		}
		all[line[:at]] = value
	}
	return all, lines.Err()
}

// sum adds up the series of a metric that have all these words in their labels.
func (s stats) sum(metric string, words ...string) float64 {
	sum := 0.0
	s.each(metric, words, func(value float64) { sum += value })
	return sum
}

// count is how many series a metric has with these words in their labels.
func (s stats) count(metric string, words ...string) int {
	n := 0
	s.each(metric, words, func(float64) { n++ })
	return n
}

// each looks at the series of a metric that have all these words in their
// labels.
func (s stats) each(metric string, words []string, look func(value float64)) {
	for series, value := range s {
		name, labels, _ := strings.Cut(series, "{")
		missing := func(word string) bool { return !strings.Contains(labels, word) }
		if name == metric && !slices.ContainsFunc(words, missing) {
			look(value)
		}
	}
}

// watch reads a metric of the greeter's pool, every 50 ms, until it is told to
// stop; it returns all that it saw.
func (p *pod) watch(ctx context.Context, metric string) (stop func() []int) {
	seen := make(chan []int, 1)
	over := make(chan struct{})
	go func() {
		var values []int
		for {
			if now, err := p.stats(ctx); err == nil {
				values = append(values, int(now.sum(metric, greeterPool)))
			}
			select {
			case <-over:
				seen <- values
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() []int {
		close(over)
		return <-seen
	}
}

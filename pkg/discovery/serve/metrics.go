package serve

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the metrics of discovery:
//
//	probeshift_discovery_ready
//	    1 while it serves; 0 before, and while it stops.
//	probeshift_discovery_streams
//	    Open streams: one for each sidecar.
//	probeshift_discovery_subscriptions
//	    Names that open streams have asked for, each counted for each stream.
//	probeshift_discovery_resources
//	    Assignments that are held because some stream asked for them.
//	probeshift_discovery_empty_assignments
//	    Those of them without endpoints: Services that are gone, or have no Pod to
//	    send a request to. Their sidecars work from DNS.
//	probeshift_discovery_pushes_total
//	    Assignments sent, first answers included.
//	probeshift_discovery_push_seconds
//	    From seeing a change in the cluster to sending it, for each stream. Changes
//	    are gathered for 50 to 200 ms, which is part of it. Streams of the
//	    state-of-the-world form are left out.
//	probeshift_discovery_rejected_total
//	    Answers that a sidecar could not use. Anything but zero is a defect.
//	probeshift_discovery_refused_total{reason}
//	    Requests and connections that were refused: wildcard (everything was asked
//	    for), other-type, too-many-names, name-too-long, malformed-name (left
//	    unanswered), too-many-variants (told no endpoints), request-too-large, slow
//	    (answers that wait for an address to read them are too many), handshake
//	    (no TLS; among others from sidecars that do not trust the certificate),
//	    connections (too many of one address).
//	probeshift_discovery_watch_errors_total
//	    Lists and watches of the API server that failed. While they do, sidecars
//	    keep what they know.
//
// No label holds the name of a Service or the address of a client.
type metrics struct {
	ready         prometheus.Gauge
	streams       prometheus.Gauge
	subscriptions prometheus.Gauge
	resources     prometheus.Gauge
	empty         prometheus.Gauge
	pushes        prometheus.Counter
	took          prometheus.Histogram
	rejected      prometheus.Counter
	refused       *prometheus.CounterVec
	watchErrors   prometheus.Counter
}

// newMetrics registers the metrics with reg. It panics when they are registered
// there already, as MustRegister does.
func newMetrics(reg prometheus.Registerer) *metrics {
	factory := promauto.With(reg)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: "probeshift_discovery_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: "probeshift_discovery_" + name, Help: help})
	}
	m := &metrics{
		ready:         gauge("ready", "1 while discovery serves; 0 before, and while it stops."),
		streams:       gauge("streams", "Open streams: one for each sidecar."),
		subscriptions: gauge("subscriptions", "Names that open streams have asked for, each counted for each stream."),
		resources:     gauge("resources", "Assignments that are held because some stream asked for them."),
		empty:         gauge("empty_assignments", "Assignments without endpoints: their sidecars work from DNS."),
		pushes:        counter("pushes_total", "Assignments sent, first answers included."),
		took: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "probeshift_discovery_push_seconds",
			Help:    "Time from seeing a change in the cluster to sending it, for each stream; changes are gathered for 50 to 200 ms.",
			Buckets: []float64{.025, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 5, 10},
		}),
		watchErrors: counter("watch_errors_total", "Lists and watches of the API server that failed."),
		rejected:    counter("rejected_total", "Answers that a sidecar could not use. Each is a defect."),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "probeshift_discovery_refused_total",
			Help: "Requests and connections that were refused, by reason.",
		}, []string{"reason"}),
	}
	// Every series is there from the start, so that a rate over the first
	// occurrence is right.
	for _, why := range reasons() {
		m.refused.WithLabelValues(string(why))
	}
	return m
}

package certs

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are the metrics of a certificate source.
type Metrics struct {
	expiry    prometheus.Gauge
	unhealthy prometheus.Gauge
	restored  prometheus.Counter
	untrusted prometheus.Counter
	skew      prometheus.Gauge
	steps     *prometheus.CounterVec
}

// NewMetrics registers the metrics of the webhook's certificates with reg. It
// panics when they are registered there already, as MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return newMetrics(reg, "probeshift_certificate_", "ca_bundle_restored_total", "the caBundle",
		"API servers had not trusted for the settle time")
}

// NewDiscoveryMetrics registers the metrics of discovery's certificates with
// reg. They have names of their own, so that both may stand in one process and
// alerts tell them apart. It panics when they are registered there already, as
// MustRegister does.
func NewDiscoveryMetrics(reg prometheus.Registerer) *Metrics {
	return newMetrics(reg, "probeshift_discovery_certificate_", "ca_restored_total", "the ConfigMap",
		"had not been in the ConfigMap for the overlap")
}

func newMetrics(reg prometheus.Registerer, prefix, restored, place, early string) *Metrics {
	factory := promauto.With(reg)
	return &Metrics{
		expiry: factory.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "expiry_timestamp_seconds",
			Help: "When the serving certificate expires, in seconds since 1970. Zero before the first one.",
		}),
		unhealthy: factory.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "source_unhealthy",
			Help: "1 while the certificate source cannot read or keep what it depends on; the log names the object and the remedy.",
		}),
		restored: factory.NewCounter(prometheus.CounterOpts{
			Name: prefix + restored,
			Help: "How often this replica put certificates back that somebody had taken out of " + place + ".",
		}),
		untrusted: factory.NewCounter(prometheus.CounterOpts{
			Name: prefix + "untrusted_start_total",
			Help: "How often this replica put a CA into use that " + early + ": at installation, after a revocation, or because the old one was lost or expired.",
		}),
		skew: factory.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "clock_skew_seconds",
			Help: "By how much the clock of this replica is ahead of the API server's.",
		}),
		steps: factory.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "steps_total",
			Help: "Changes of the shared state that this replica has written, by step.",
		}, []string{"step"}),
	}
}

// setExpiry records when the serving certificate expires.
func (m *Metrics) setExpiry(at time.Time) {
	m.expiry.Set(float64(at.Unix()))
}

// setHealthy records whether the last look at the source found it in order.
func (m *Metrics) setHealthy(healthy bool) {
	if healthy {
		m.unhealthy.Set(0)
		return
	}
	m.unhealthy.Set(1)
}

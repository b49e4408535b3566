package admission

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// result is what became of a request, as metrics tell it.
type result string

// The results.
const (
	// nothingToDo: no probe of the tool in the Pod.
	nothingToDo result = "nothing-to-do"
	// patched: a patch was sent.
	patched result = "patched"
	// unchanged: there are findings, and no patch.
	unchanged result = "unchanged"
	// denied: the Pod is refused, for what it asks of the sidecar.
	denied result = "denied"
	// refusedInput: allowed with a warning, without a look at the Pod.
	refusedInput result = "refused-input"
	// internalError: allowed with a warning after an error of our own.
	internalError result = "internal-error"
	// badRequest: HTTP 400, 403, 405 or 415.
	badRequest result = "bad-request"
	// overloaded: HTTP 503.
	overloaded result = "overloaded"
)

var results = []result{nothingToDo, patched, unchanged, denied, refusedInput, internalError, badRequest, overloaded}

// Metrics are the metrics of the admission path:
//
//	probeshift_probe_findings_total{outcome,reason,probe}
//	    Probes of the tool by what became of them: outcome rewritten,
//	    would-rewrite, restored or skipped; reason a code, empty for the first
//	    two; probe liveness, readiness or startup. A probe counts once, however
//	    often its Pod is sent, and not at all on dry run: no Pod comes of it.
//	probeshift_admission_requests_total{path,result}
//	    Requests, dry runs included, by URL path and result: nothing-to-do,
//	    patched, unchanged (findings without a patch), denied (the Pod is refused
//	    for what it asks of the sidecar), refused-input (allowed without a look
//	    at the Pod), internal-error, bad-request (HTTP 4xx), overloaded (HTTP 503).
//	probeshift_sidecars_total{outcome}
//	    Pods that ask for the load-balancing sidecar, dry runs excluded: outcome
//	    injected, refused, would-inject and would-refuse (audited namespaces), or
//	    failed (an error of our own). A Pod counts once when it is sent again.
//	probeshift_admission_request_duration_seconds{path}
//	    From the request's header to the end of the answer.
//	probeshift_admission_requests_in_flight
//	    Requests being answered, those that wait for their turn included.
//	probeshift_internal_errors_total
//	    Panics, patches that could not be written, and patches that did not
//	    pass their own check. Anything but zero is a defect worth a report.
//
// No label holds the name of a Pod, an owner or a namespace. Calls that never
// arrive are visible only in the API server's metrics.
type Metrics struct {
	findings       *prometheus.CounterVec
	sidecars       *prometheus.CounterVec
	requests       *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	inFlight       prometheus.Gauge
	internalErrors prometheus.Counter
}

// NewMetrics registers the metrics with reg. It panics when they are
// registered there already, as MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	m := &Metrics{
		findings: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "probeshift_probe_findings_total",
			Help: "Exec probes of grpc_health_probe by what became of them, without dry runs.",
		}, []string{"outcome", "reason", "probe"}),
		sidecars: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "probeshift_sidecars_total",
			Help: "Pods that ask for the load-balancing sidecar by what became of them, without dry runs.",
		}, []string{"outcome"}),
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "probeshift_admission_requests_total",
			Help: "Admission requests by URL path and result, dry runs included.",
		}, []string{"path", "result"}),
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "probeshift_admission_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}, []string{"path"}),
		inFlight: factory.NewGauge(prometheus.GaugeOpts{
			Name: "probeshift_admission_requests_in_flight",
			Help: "Admission requests being answered, those that wait for their turn included.",
		}),
		internalErrors: factory.NewCounter(prometheus.CounterOpts{
			Name: "probeshift_internal_errors_total",
			Help: "Panics and patches that did not pass their own check. Each is a defect.",
		}),
	}
	m.zero()
	return m
}

// zero makes every series of the closed sets present from the start, so that
// a rate over the first occurrence is right.
func (m *Metrics) zero() {
	for _, outcome := range countedOutcomes {
		m.sidecars.WithLabelValues(string(outcome))
	}
	for _, path := range []string{MutatePath, AuditPath} {
		m.duration.WithLabelValues(path)
		for _, r := range results {
			m.requests.WithLabelValues(path, string(r))
		}
	}
}

// request records the end of a request.
func (m *Metrics) request(path string, r result, took time.Duration) {
	m.requests.WithLabelValues(path, string(r)).Inc()
	m.duration.WithLabelValues(path).Observe(took.Seconds())
}

// countedOutcomes are what becomes of a Pod once, however often it is sent.
var countedOutcomes = []sidecar.Outcome{sidecar.Injected, sidecar.Refused, sidecar.WouldInject, sidecar.WouldRefuse, sidecar.Failed}

// injected records what became of a Pod that asks for the sidecar.
func (m *Metrics) injected(outcome sidecar.Outcome) {
	if slices.Contains(countedOutcomes, outcome) {
		m.sidecars.WithLabelValues(string(outcome)).Inc()
	}
}

// found records findings that no earlier call has told.
func (m *Metrics) found(findings []mutate.Finding) {
	for _, f := range findings {
		m.findings.WithLabelValues(string(f.Outcome), string(f.Reason), string(f.Probe)).Inc()
		if f.Reason == reason.InternalError {
			m.internalErrors.Inc()
		}
	}
}

package admission

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// The URL paths. Each belongs to one entry of the MutatingWebhookConfiguration.
const (
	// MutatePath serves namespaces labelled "enabled".
	MutatePath = "/mutate-v1-pod"
	// AuditPath serves namespaces labelled "audit": findings, never a patch.
	AuditPath = "/audit-v1-pod"
)

// Config is what a Handler needs. Metrics and Limit are shared by all paths.
type Config struct {
	// Path is the URL path the handler is mounted at. It labels metrics and
	// log lines.
	Path string
	// Policy is what the operator allows on this path.
	Policy mutate.Policy
	// TLSProbes tells for each request whether native TLS probes may be
	// written. Nil means that Policy.TLSProbes holds.
	TLSProbes func() bool
	// Decide turns a Pod into operations and findings. The Pod it is given
	// holds only the fields that pod.go names.
	Decide func(*corev1.Pod, mutate.Policy) mutate.Result
	// Sidecars injects the load-balancing sidecar. Nil injects none.
	Sidecars *Sidecars
	// Events tells the owners of Pods the news. Nil tells nobody.
	Events Events
	// ClientCertificate refuses requests without a verified client
	// certificate. The server must ask for one and verify it when given.
	ClientCertificate bool
	// Metrics must come from NewMetrics.
	Metrics *Metrics
	// Limit must come from NewLimit.
	Limit *Limit
	// ReadTimeout bounds the reading of a body: DefaultReadTimeout.
	ReadTimeout time.Duration
	Log         logr.Logger
	// Now is the clock for latencies and for the deadline of a body.
	Now func() time.Time
}

// Events takes what an owner of Pods should know. It must not block: it is
// called while the API server waits for the answer.
type Events interface {
	// Found tells the controller of a Pod what became of the Pod's probes.
	Found(namespace string, owner *metav1.OwnerReference, news []mutate.Finding)
	// Injected tells it what became of the Pod's load-balancing sidecar.
	Injected(namespace string, owner *metav1.OwnerReference, result sidecar.Result)
}

// Handler answers the reviews of one path.
type Handler struct {
	Config
	mentions mentions
	buffers  buffers
}

var _ http.Handler = (*Handler)(nil)

// NewHandler returns the handler of one path.
func NewHandler(config Config) *Handler {
	config.Log = config.Log.WithValues("path", config.Path)
	return &Handler{Config: config, mentions: newMentions(config.Policy.ToolNames)}
}

// ServeHTTP answers one review. Nothing in it depends on the request's
// context: the API server gives up on a slow answer by itself, and the end of
// the process must not cut an answer short.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Now()
	h.Metrics.inFlight.Inc()
	defer h.Metrics.inFlight.Dec()
	result := h.serve(w, r)
	h.Metrics.request(h.Path, result, h.Now().Sub(start))
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) result {
	if status, problem := h.checkRequest(w, r); status != http.StatusOK {
		return h.refuse(w, status, problem)
	}
	release, ok := h.Limit.acquire(r.Context())
	if !ok {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many reviews at once", http.StatusServiceUnavailable)
		return overloaded
	}
	defer release()

	buffer := h.buffers.get()
	defer h.buffers.put(buffer)
	problem := h.readBody(w, r, buffer)
	v := h.review(buffer.Bytes(), problem)
	if v.uid == "" {
		return h.refuse(w, http.StatusBadRequest, fmt.Sprintf("no request.uid found: %s", v.problem))
	}
	answer := h.buffers.get()
	defer h.buffers.put(answer)
	answer.Write(appendAnswer(answer.AvailableBuffer(), v))
	writeJSON(w, answer.Bytes())
	return v.result
}

// refuse answers with an HTTP error, which failurePolicy Ignore turns into an
// admission.
func (h *Handler) refuse(w http.ResponseWriter, status int, problem string) result {
	h.Log.Info("request refused", "status", status, "problem", problem)
	http.Error(w, problem, status)
	return badRequest
}

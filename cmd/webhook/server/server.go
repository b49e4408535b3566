package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/admission/tlsprobes"
)

// Server is the webhook, ready to start.
type Server struct {
	manager       manager.Manager
	drain         *admission.Drain
	drainDuration time.Duration
}

// Setup builds the server. It opens no port and makes no connection.
func Setup(config *Config) (*Server, error) {
	drain := &admission.Drain{}
	mux := http.NewServeMux()
	webhookServer := webhook.NewServer(webhook.Options{
		Host:       config.Host,
		Port:       config.Port,
		TLSOpts:    []func(*tls.Config){config.applyTLS},
		WebhookMux: mux,
	})
	m, err := newManager(config, webhookServer)
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	// GetWebhookServer is what adds the server to the manager.
	m.GetWebhookServer()
	if err := m.Add(unelected{config.Certs}); err != nil {
		return nil, fmt.Errorf("add the certificate source: %w", err)
	}
	if config.Events != nil {
		if err := m.Add(config.Events); err != nil {
			return nil, fmt.Errorf("add the writer of Events: %w", err)
		}
	}
	tlsProbes, err := addTLSProbes(m, config)
	if err != nil {
		return nil, err
	}
	if err := addHealth(m, config, drain, webhookServer); err != nil {
		return nil, fmt.Errorf("add the health endpoints: %w", err)
	}
	sidecars, err := addSidecars(m, config)
	if err != nil {
		return nil, err
	}
	mount(mux, config, drain, tlsProbes, sidecars)
	if config.Policy.AnyPort {
		config.Log.Info("--ports=any: probes are rewritten without evidence that the server listens beyond loopback, also with hostNetwork")
	}
	return &Server{manager: m, drain: drain, drainDuration: config.DrainDuration}, nil
}

// Start serves until ctx ends and then drains. It returns an error when a
// port cannot be served.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := s.drain.Context(ctx, s.drainDuration)
	defer cancel()
	return s.manager.Start(ctx)
}

// newManager returns a manager that works without an API server: nothing is
// cached, and no kinds are looked up.
func newManager(config *Config, webhookServer webhook.Server) (manager.Manager, error) {
	kubeConfig := config.KubeConfig
	if kubeConfig == nil {
		kubeConfig = &rest.Config{}
	}
	return manager.New(kubeConfig, manager.Options{
		Scheme: runtime.NewScheme(),
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			return meta.NewDefaultRESTMapper(nil), nil
		},
		Logger:        config.Log,
		Metrics:       metricsserver.Options{BindAddress: config.MetricsBindAddress},
		WebhookServer: webhookServer,
	})
}

// applyTLS sets how connections are served. API servers speak HTTP/1.1 to a
// Service webhook, and without HTTP/2 its rapid-reset attacks have no target.
func (c *Config) applyTLS(t *tls.Config) {
	t.GetCertificate = c.Certs.GetCertificate
	t.MinVersion = c.TLSMinVersion
	t.NextProtos = []string{"http/1.1"}
	if c.ClientCAs != nil {
		// Handlers refuse requests without a certificate, in words; the
		// readiness check, which has none, passes the handshake.
		t.ClientCAs = c.ClientCAs
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
}

// addTLSProbes adds the check behind --grpc-probe-tls=always and returns its
// answer. It returns nil when TLS probes are not switched on.
func addTLSProbes(m manager.Manager, config *Config) (func() bool, error) {
	if !config.Policy.TLSProbes {
		return nil, nil
	}
	client, err := corev1client.NewForConfig(config.KubeConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client for the check of --grpc-probe-tls=always: %w", err)
	}
	check := tlsprobes.New(client.Pods(config.Namespace), config.Log.WithName("tls-probes"))
	if err := m.Add(unelected{check}); err != nil {
		return nil, fmt.Errorf("add the check of --grpc-probe-tls=always: %w", err)
	}
	return check.Kept, nil
}

// mount puts the handlers on the mux itself. The server's Register would wrap
// each in instrumentation that costs more than a review without our tool.
func mount(mux *http.ServeMux, config *Config, drain *admission.Drain, tlsProbes func() bool, sidecars *admission.Sidecars) {
	shared := admission.Config{
		Policy:            config.Policy,
		TLSProbes:         tlsProbes,
		Sidecars:          sidecars,
		Decide:            config.Decide,
		ClientCertificate: config.ClientCAs != nil,
		Metrics:           admission.NewMetrics(config.Metrics),
		Limit:             admission.NewLimit(config.MaxConcurrentReviews, admission.DefaultWait),
		ReadTimeout:       admission.DefaultReadTimeout,
		Log:               config.Log.WithName("admission"),
		Now:               time.Now,
	}
	if config.Events != nil {
		shared.Events = config.Events
	}
	mutating, auditing := shared, shared
	mutating.Path = admission.MutatePath
	auditing.Path, auditing.Policy.Audit = admission.AuditPath, true
	for _, c := range []admission.Config{mutating, auditing} {
		mux.Handle(c.Path, drain.Handler(admission.NewHandler(c)))
	}
}

// unelected is a runnable that does not wait to be elected leader: every
// replica serves.
type unelected struct{ manager.Runnable }

// NeedLeaderElection says no.
func (unelected) NeedLeaderElection() bool { return false }

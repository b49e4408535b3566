package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/probeshift/probeshift/pkg/admission"
)

// Server is the process, ready to start.
type Server struct {
	manager       manager.Manager
	drain         *admission.Drain
	drainDuration time.Duration
}

// Setup builds the server. It opens no port and makes no connection.
func Setup(config *Config) (*Server, error) {
	drain := &admission.Drain{}
	mux := http.NewServeMux()
	m, err := newManager(config, mux)
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	if config.Events != nil {
		if err := m.Add(config.Events); err != nil {
			return nil, fmt.Errorf("add the writer of Events: %w", err)
		}
	}
	ready := checks{{"drain", drain.Check}}
	if config.Admission != nil {
		more, err := addAdmission(m, config, mux, drain)
		if err != nil {
			return nil, err
		}
		ready = append(ready, more...)
	}
	if config.Discovery != nil {
		more, err := addDiscovery(m, config.Discovery)
		if err != nil {
			return nil, err
		}
		ready = append(ready, more...)
	}
	if err := addHealth(m, config, ready); err != nil {
		return nil, fmt.Errorf("add the health endpoints: %w", err)
	}
	logRun(config)
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
func newManager(config *Config, mux *http.ServeMux) (manager.Manager, error) {
	kubeConfig := config.KubeConfig
	if kubeConfig == nil {
		kubeConfig = &rest.Config{}
	}
	options := manager.Options{
		Scheme: runtime.NewScheme(),
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			return meta.NewDefaultRESTMapper(nil), nil
		},
		Logger:  config.Log,
		Metrics: metricsserver.Options{BindAddress: config.MetricsBindAddress},
	}
	if config.Admission != nil {
		options.WebhookServer = newWebhookServer(config.Admission, mux)
	}
	return manager.New(kubeConfig, options)
}

// unelected is a runnable that does not wait to be elected leader: every
// replica serves.
type unelected struct{ manager.Runnable }

// NeedLeaderElection says no.
func (unelected) NeedLeaderElection() bool { return false }

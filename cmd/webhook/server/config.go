package server

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/probeshift/probeshift/pkg/events"
)

// Config is what a Server is made of: the options, checked and loaded.
type Config struct {
	// Admission and Discovery are what the process runs; nil is what it does
	// not.
	Admission *AdmissionConfig
	Discovery *DiscoveryConfig
	// DrainDuration is how long admission goes on after the signal to end.
	DrainDuration time.Duration

	// KubeConfig is nil where there is no API server and nothing needs one.
	KubeConfig *rest.Config
	// Events is nil where none are written.
	Events    *events.Recorder
	Namespace string

	// MetricsBindAddress and HealthProbeBindAddress are "0" when switched off.
	MetricsBindAddress     string
	HealthProbeBindAddress string
	// Metrics takes the metrics. The endpoint serves controller-runtime's
	// registry.
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// LoadConfig checks the options and loads what they name. The error lists
// every problem. Metrics are registered with the given registry; the metrics
// endpoint serves controller-runtime's.
func LoadConfig(options *Options, metrics prometheus.Registerer) (*Config, error) {
	if err := errors.Join(options.Validate()...); err != nil {
		return nil, err
	}
	config := &Config{
		Namespace:              options.Self.Namespace,
		MetricsBindAddress:     options.MetricsBindAddress,
		HealthProbeBindAddress: options.HealthProbeBindAddress,
		Metrics:                metrics,
		Log:                    newLogger(os.Stderr, options.LogFormat, options.Verbosity),
	}
	var err error
	if config.KubeConfig, err = kubeConfig(options); err != nil {
		return nil, err
	}
	if config.Events, err = eventRecorder(options, config); err != nil {
		return nil, err
	}
	if options.runs(runAdmission) {
		config.DrainDuration = options.DrainDuration
		if config.Admission, err = admissionConfig(options, config); err != nil {
			return nil, err
		}
	}
	if options.runs(runDiscovery) {
		if config.Discovery, err = discoveryConfig(options, config); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// eventRecorder returns nil where there is nowhere to write Events to.
func eventRecorder(options *Options, config *Config) (*events.Recorder, error) {
	if !options.Events || config.KubeConfig == nil {
		return nil, nil
	}
	client, err := eventsclient.NewForConfig(config.KubeConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client for Events: %w", err)
	}
	reporter := events.Webhook
	if !options.runs(runAdmission) {
		reporter = events.Discovery
	}
	return events.New(client, reporter, config.Metrics, config.Log.WithName("events")), nil
}

// kubeConfig returns how to reach the API server: as --kubeconfig says, or as
// the Pod's service account does. It returns nil where there is none and
// nothing needs one.
func kubeConfig(options *Options) (*rest.Config, error) {
	if options.Kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", options.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("load --kubeconfig: %w", err)
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	if err == nil {
		return config, nil
	}
	const remedy = "set --kubeconfig or run in a Pod with a service account"
	switch {
	case options.runs(runDiscovery):
		return nil, fmt.Errorf("--run=discovery needs an API server: %s: %w", remedy, err)
	case options.Certs == "self":
		return nil, fmt.Errorf("--certs=self needs an API server: set --kubeconfig, run in a Pod with a service account, or use --certs=files: %w", err)
	case options.GRPCProbeTLS == "always":
		return nil, fmt.Errorf("--grpc-probe-tls=always needs an API server: %s: %w", remedy, err)
	case options.LBDiscovery:
		return nil, fmt.Errorf("--lb-discovery needs an API server: %s: %w", remedy, err)
	case errors.Is(err, rest.ErrNotInCluster):
		return nil, nil
	}
	return nil, fmt.Errorf("read the Pod's service account: %w", err)
}

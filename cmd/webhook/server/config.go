package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/probeshift/probeshift/pkg/certs"
	"github.com/probeshift/probeshift/pkg/events"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// Config is what a Server is made of: the options, checked and loaded.
type Config struct {
	Host          string
	Port          int
	TLSMinVersion uint16
	// ClientCAs verify the API server's client certificate. Nil asks for none.
	ClientCAs            *x509.CertPool
	MaxConcurrentReviews int
	DrainDuration        time.Duration

	Certs  certs.Source
	Policy mutate.Policy
	// Decide turns a Pod into a decision.
	Decide func(*corev1.Pod, mutate.Policy) mutate.Result
	// Sidecar is how Pods get the load-balancing sidecar.
	Sidecar sidecar.Policy

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
	conf, err := os.ReadFile(resolvConf)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the search list for --cluster-domain: %w", err)
	}
	log := newLogger(os.Stderr, options.LogFormat, options.Verbosity)
	config := &Config{
		Host:                   options.BindAddress,
		Port:                   options.Port,
		TLSMinVersion:          tls.VersionTLS13,
		MaxConcurrentReviews:   options.MaxConcurrentReviews,
		DrainDuration:          options.DrainDuration,
		Policy:                 policy(options),
		Decide:                 mutate.Mutate,
		Sidecar:                sidecarPolicy(options, string(conf)),
		Namespace:              options.Self.Namespace,
		MetricsBindAddress:     options.MetricsBindAddress,
		HealthProbeBindAddress: options.HealthProbeBindAddress,
		Metrics:                metrics,
		Log:                    log,
	}
	if options.TLSMinVersion == "1.2" {
		config.TLSMinVersion = tls.VersionTLS12
	}
	if config.ClientCAs, err = clientCAs(options.ClientCAFile); err != nil {
		return nil, err
	}
	if config.KubeConfig, err = kubeConfig(options); err != nil {
		return nil, err
	}
	if config.Events, err = eventRecorder(options, config); err != nil {
		return nil, err
	}
	if config.Certs, err = certSource(options, config); err != nil {
		return nil, err
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
	return events.New(client, config.Metrics, config.Log.WithName("events")), nil
}

// certSource returns where the serving certificate comes from.
func certSource(options *Options, config *Config) (certs.Source, error) {
	report := certs.Report{Log: config.Log.WithName("certs"), Metrics: certs.NewMetrics(config.Metrics)}
	if config.Events != nil {
		report.Events = config.Events.OnConfiguration(options.Self.Configuration)
	}
	if options.Certs == "files" {
		return certs.NewFiles(options.CertDir, time.Now, report), nil
	}
	return certs.NewSelf(config.KubeConfig, options.Self, time.Now, report)
}

// policy turns the probe flags into what a decision takes.
func policy(options *Options) mutate.Policy {
	return mutate.Policy{
		AnyPort:        options.Ports == "any",
		IgnoreMesh:     options.Mesh == "ignore",
		IgnoreIPFamily: options.IPFamily == "ignore",
		IPv6:           isIPv6(options),
		TLSProbes:      options.GRPCProbeTLS == "always",
		SkipBarePods:   options.BarePods == "skip",
		ToolNames:      options.ToolNames,
		MeshProxies:    options.MeshProxyNames,
	}
}

// isIPv6 says whether the Pods' primary IP is IPv6. The webhook's own is, when
// it is not told otherwise.
func isIPv6(options *Options) bool {
	if options.PodIPFamily != "auto" {
		return options.PodIPFamily == "6"
	}
	address, err := netip.ParseAddr(options.PodIP)
	return err == nil && address.Unmap().Is6()
}

func clientCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read --client-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("no certificate in --client-ca-file %s: give the CA's certificates in PEM", file)
	}
	return pool, nil
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
	switch {
	case err == nil:
		return config, nil
	case options.Certs == "self":
		return nil, fmt.Errorf("--certs=self needs an API server: set --kubeconfig, run in a Pod with a service account, or use --certs=files: %w", err)
	case options.GRPCProbeTLS == "always":
		return nil, fmt.Errorf("--grpc-probe-tls=always needs an API server: set --kubeconfig or run in a Pod with a service account: %w", err)
	case errors.Is(err, rest.ErrNotInCluster):
		return nil, nil
	}
	return nil, fmt.Errorf("read the Pod's service account: %w", err)
}

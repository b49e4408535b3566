package server

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/probeshift/probeshift/pkg/certs"
	"github.com/probeshift/probeshift/pkg/discovery/serve"
)

const (
	// defaultDiscoveryPort is where discovery listens and sidecars dial.
	defaultDiscoveryPort = 18000
	// defaultConnectionAge is after how long a sidecar connects anew.
	defaultConnectionAge = 30 * time.Minute
)

// DiscoveryConfig is what serving endpoints to sidecars takes.
type DiscoveryConfig struct {
	// Certs gives discovery its own serving certificate.
	Certs certs.Source
	Serve serve.Config
}

func (o *Options) discoveryFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Run, "run", o.Run,
		"what to run: admission (the webhook), discovery (tells sidecars the endpoints of Services), or for test clusters admission,discovery")
	fs.IntVar(&o.DiscoveryPort, "discovery-port", o.DiscoveryPort, "port that discovery listens on, and that new sidecars dial")
	fs.DurationVar(&o.DiscoveryConnectionAge, "discovery-connection-age", o.DiscoveryConnectionAge,
		"after how long a sidecar's connection is ended, give or take a tenth, so that sidecars spread over replicas again")
	o.Discovery.AddDiscoveryFlags(fs)
}

func (o *Options) validateDiscovery() []error {
	var errs []error
	if o.DiscoveryPort < 1 || o.DiscoveryPort > 65535 {
		errs = append(errs, fmt.Errorf("--discovery-port=%d is no port: use 1 to 65535", o.DiscoveryPort))
	}
	if o.DiscoveryConnectionAge <= 0 {
		errs = append(errs, fmt.Errorf("--discovery-connection-age=%s: write a positive duration, such as %s", o.DiscoveryConnectionAge, defaultConnectionAge))
	}
	if o.runs(runDiscovery) && o.runs(runAdmission) && o.DiscoveryPort == o.Port {
		errs = append(errs, fmt.Errorf("--discovery-port and --port are both %d: give each its own", o.Port))
	}
	if o.runs(runDiscovery) || o.LBDiscovery {
		if err := o.discovery().Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// discovery returns what discovery's certificates take, whose namespace is that
// of the process.
func (o *Options) discovery() certs.Options {
	options := o.Discovery
	options.Namespace = o.Self.Namespace
	return options
}

// discoveryConfig loads what serving endpoints takes.
func discoveryConfig(options *Options, config *Config) (*DiscoveryConfig, error) {
	log := config.Log.WithName("discovery")
	report := certs.Report{Log: log.WithName("certs"), Metrics: certs.NewDiscoveryMetrics(config.Metrics)}
	own := options.discovery()
	if config.Events != nil {
		report.Events = config.Events.OnConfigMap(own.Namespace, own.ConfigMap)
	}
	source, err := certs.NewSelf(config.KubeConfig, own, time.Now, report)
	if err != nil {
		return nil, err
	}
	return &DiscoveryConfig{Certs: source, Serve: serve.Config{
		Kube:             config.KubeConfig,
		Address:          net.JoinHostPort(options.BindAddress, strconv.Itoa(options.DiscoveryPort)),
		GetCertificate:   source.GetCertificate,
		MaxConnectionAge: options.DiscoveryConnectionAge,
		Metrics:          config.Metrics,
		Log:              log,
		Now:              time.Now,
	}}, nil
}

// addDiscovery adds the server of endpoints and its certificates, and returns
// what its readiness takes.
func addDiscovery(m manager.Manager, config *DiscoveryConfig) (checks, error) {
	server, err := serve.New(config.Serve)
	if err != nil {
		return nil, fmt.Errorf("set up discovery: %w", err)
	}
	if err := m.Add(unelected{config.Certs}); err != nil {
		return nil, fmt.Errorf("add discovery's certificate source: %w", err)
	}
	if err := m.Add(unelected{server}); err != nil {
		return nil, fmt.Errorf("add discovery: %w", err)
	}
	return checks{
		{"certificate of discovery", passing(config.Certs.Ready)},
		{"discovery", passing(server.Ready)},
	}, nil
}

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/admission/tlsprobes"
	"github.com/probeshift/probeshift/pkg/certs"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// AdmissionConfig is what reviewing Pods takes.
type AdmissionConfig struct {
	Host          string
	Port          int
	TLSMinVersion uint16
	// ClientCAs verify the API server's client certificate. Nil asks for none.
	ClientCAs            *x509.CertPool
	MaxConcurrentReviews int

	Certs  certs.Source
	Policy mutate.Policy
	// Decide turns a Pod into a decision.
	Decide func(*corev1.Pod, mutate.Policy) mutate.Result
	// Sidecar is how Pods get the load-balancing sidecar.
	Sidecar sidecar.Policy
	// Discovery is how sidecars reach discovery, but for its CA; nil where they
	// work from DNS.
	Discovery *sidecar.Discovery
	// DiscoveryConfigMap is the name of the ConfigMap that has the CA.
	DiscoveryConfigMap string
}

// admissionConfig loads what reviewing Pods takes.
func admissionConfig(options *Options, config *Config) (*AdmissionConfig, error) {
	conf, err := os.ReadFile(resolvConf)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the search list for --cluster-domain: %w", err)
	}
	loaded := &AdmissionConfig{
		Host:                 options.BindAddress,
		Port:                 options.Port,
		TLSMinVersion:        tls.VersionTLS13,
		MaxConcurrentReviews: options.MaxConcurrentReviews,
		Policy:               policy(options),
		Decide:               mutate.Mutate,
		Sidecar:              sidecarPolicy(options, string(conf)),
		DiscoveryConfigMap:   options.Discovery.ConfigMap,
	}
	loaded.Discovery = sidecarDiscovery(options, loaded.Sidecar.ClusterDomain)
	if options.TLSMinVersion == "1.2" {
		loaded.TLSMinVersion = tls.VersionTLS12
	}
	if loaded.ClientCAs, err = clientCAs(options.ClientCAFile); err != nil {
		return nil, err
	}
	if loaded.Certs, err = certSource(options, config); err != nil {
		return nil, err
	}
	return loaded, nil
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

// newWebhookServer returns the server that API servers call.
func newWebhookServer(config *AdmissionConfig, mux *http.ServeMux) webhook.Server {
	return webhook.NewServer(webhook.Options{
		Host:       config.Host,
		Port:       config.Port,
		TLSOpts:    []func(*tls.Config){config.applyTLS},
		WebhookMux: mux,
	})
}

// addAdmission adds the reviews of Pods and their certificates, and returns
// what their readiness takes. The listener is not dialled while there is no
// certificate to shake hands with.
func addAdmission(m manager.Manager, config *Config, mux *http.ServeMux, drain *admission.Drain) (checks, error) {
	// GetWebhookServer is what adds the server to the manager.
	webhookServer := m.GetWebhookServer()
	if err := m.Add(unelected{config.Admission.Certs}); err != nil {
		return nil, fmt.Errorf("add the certificate source: %w", err)
	}
	tlsProbes, err := addTLSProbes(m, config)
	if err != nil {
		return nil, err
	}
	sidecars, looked, err := addSidecars(m, config)
	if err != nil {
		return nil, err
	}
	mount(mux, config, drain, tlsProbes, sidecars)
	if config.Admission.Policy.AnyPort {
		config.Log.Info("--ports=any: probes are rewritten without evidence that the server listens beyond loopback, also with hostNetwork")
	}
	return append(checks{
		{"certificate", passing(config.Admission.Certs.Ready)},
		{"listener", webhookServer.StartedChecker()},
	}, looked...), nil
}

// applyTLS sets how connections are served. API servers speak HTTP/1.1 to a
// Service webhook, and without HTTP/2 its rapid-reset attacks have no target.
func (c *AdmissionConfig) applyTLS(t *tls.Config) {
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
	if !config.Admission.Policy.TLSProbes {
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
		Policy:            config.Admission.Policy,
		TLSProbes:         tlsProbes,
		Sidecars:          sidecars,
		Decide:            config.Admission.Decide,
		ClientCertificate: config.Admission.ClientCAs != nil,
		Metrics:           admission.NewMetrics(config.Metrics),
		Limit:             admission.NewLimit(config.Admission.MaxConcurrentReviews, admission.DefaultWait),
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

package server

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/component-base/cli/flag"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/certs"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// Options are the flags, as given.
type Options struct {
	// Run is what the process runs: "admission", "discovery" or both, with a
	// comma between.
	Run string

	BindAddress          string
	Port                 int
	TLSMinVersion        string
	ClientCAFile         string
	MaxConcurrentReviews int
	DrainDuration        time.Duration

	// Certs is "self" or "files".
	Certs   string
	CertDir string
	// Self says what the source self keeps, and where. Its Namespace is the
	// one that the webhook runs in.
	Self certs.Options

	Ports          string
	Mesh           string
	IPFamily       string
	PodIPFamily    string
	BarePods       string
	GRPCProbeTLS   string
	ToolNames      []string
	MeshProxyNames []string

	LBImage string
	// ClusterDomain is empty where it is read from the search list.
	ClusterDomain     string
	LBSingleStackIPv6 bool
	// LBDiscovery makes new sidecars use discovery.
	LBDiscovery           bool
	LBHealthCheckInterval time.Duration

	DiscoveryPort          int
	DiscoveryConnectionAge time.Duration
	// Discovery says what discovery's certificates are, and where. Its
	// Namespace is that of Self.
	Discovery certs.Options

	Kubeconfig string
	Events     bool

	MetricsBindAddress     string
	HealthProbeBindAddress string
	LogFormat              string
	Verbosity              int

	// PodIP is the environment variable POD_IP, from the downward API.
	PodIP string
}

// NewOptions returns the defaults.
func NewOptions(getenv func(string) string) *Options {
	self := certs.DefaultOptions()
	self.Namespace = cmp.Or(getenv("POD_NAMESPACE"), self.Namespace)
	return &Options{
		Run:                    runAdmission,
		Port:                   10250,
		TLSMinVersion:          "1.3",
		MaxConcurrentReviews:   admission.DefaultConcurrent,
		DrainDuration:          admission.DefaultDrain,
		Certs:                  "self",
		Self:                   self,
		CertDir:                "/etc/probeshift/certs",
		Ports:                  "declared",
		Mesh:                   "respect",
		IPFamily:               "respect",
		PodIPFamily:            "auto",
		BarePods:               "rewrite",
		GRPCProbeTLS:           "never",
		LBImage:                sidecar.DefaultImage,
		LBHealthCheckInterval:  defaultCheckInterval,
		DiscoveryPort:          defaultDiscoveryPort,
		DiscoveryConnectionAge: defaultConnectionAge,
		Discovery:              certs.DefaultDiscoveryOptions(),
		Events:                 true,
		MetricsBindAddress:     ":8080",
		HealthProbeBindAddress: ":8081",
		LogFormat:              "json",
		PodIP:                  getenv("POD_IP"),
	}
}

// Flags returns the flags in the groups that --help shows.
func (o *Options) Flags() flag.NamedFlagSets {
	var sets flag.NamedFlagSets
	o.servingFlags(sets.FlagSet("serving"))
	o.certificateFlags(sets.FlagSet("certificate"))
	o.probeFlags(sets.FlagSet("probe"))
	o.sidecarFlags(sets.FlagSet("load-balancing sidecar"))
	o.discoveryFlags(sets.FlagSet("discovery"))
	o.clusterFlags(sets.FlagSet("Kubernetes API"))
	o.observingFlags(sets.FlagSet("observing"))
	return sets
}

func (o *Options) servingFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.BindAddress, "bind-address", o.BindAddress, "IP address to serve on; empty means all addresses (default empty)")
	fs.IntVar(&o.Port, "port", o.Port, "port to serve HTTPS on")
	fs.StringVar(&o.TLSMinVersion, "tls-min-version", o.TLSMinVersion, "lowest TLS version to accept: 1.3 or 1.2")
	fs.StringVar(&o.ClientCAFile, "client-ca-file", o.ClientCAFile,
		"PEM file of the CAs whose client certificates the API server has to show; empty means that none is asked for (default empty)")
	fs.IntVar(&o.MaxConcurrentReviews, "max-concurrent-reviews", o.MaxConcurrentReviews,
		"reviews worked on at once; others wait for up to 1.5 s and then get HTTP 503")
	fs.DurationVar(&o.DrainDuration, "drain-duration", o.DrainDuration,
		"how long to go on serving after SIGTERM, unready and closing connections, so that no request is lost")
}

func (o *Options) certificateFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Certs, "certs", o.Certs,
		"where the webhook's serving certificate comes from: self (made and rotated here; needs an API server) or files (tls.crt and tls.key in --cert-dir; needs none)")
	fs.StringVar(&o.CertDir, "cert-dir", o.CertDir, "directory with tls.crt and tls.key, followed when they change")
	o.Self.AddFlags(fs)
}

func (o *Options) probeFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Ports, "ports", o.Ports,
		"evidence that a server listens beyond loopback: declared (a containerPort) or any (none is asked for); a Pod decides with probeshift.dev/ports")
	fs.StringVar(&o.Mesh, "mesh", o.Mesh, "Pods of a service mesh: respect (left alone) or ignore (rewritten); a Pod decides with probeshift.dev/mesh")
	fs.StringVar(&o.IPFamily, "ip-family", o.IPFamily,
		"probes that dial the other IP family than the kubelet: respect (left alone) or ignore (rewritten); a Pod decides with probeshift.dev/ip-family")
	fs.StringVar(&o.PodIPFamily, "pod-ip-family", o.PodIPFamily,
		"family of the Pods' primary IP: 4, 6, or auto (that of POD_IP in the environment, 4 without it)")
	fs.StringVar(&o.BarePods, "bare-pods", o.BarePods, "Pods without a controlling owner: rewrite (with a warning) or skip")
	fs.StringVar(&o.GRPCProbeTLS, "grpc-probe-tls", o.GRPCProbeTLS,
		"native TLS probes: never, or always, which states that every API server and every kubelet has the feature gate GRPCContainerProbeTLS; needs an API server and the permission to create Pods in --namespace")
	fs.StringSliceVar(&o.ToolNames, "tool-name", o.ToolNames, "further file name of the tool; repeatable (default none)")
	fs.StringSliceVar(&o.MeshProxyNames, "mesh-proxy-name", o.MeshProxyNames,
		"further container name of a mesh proxy; repeatable (default none)")
}

func (o *Options) clusterFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig,
		"kubeconfig file for what needs an API server; empty means the Pod's service account (default empty)")
	fs.BoolVar(&o.Events, "events", o.Events,
		"write Events on the controllers of Pods and about certificates; without an API server (--certs=files outside of a cluster) there are none")
}

func (o *Options) observingFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress, "address of /metrics, plain HTTP; 0 switches it off")
	fs.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress,
		"address of /healthz and /readyz, plain HTTP; 0 switches them off")
	fs.StringVar(&o.LogFormat, "log-format", o.LogFormat, "json or text")
	fs.IntVarP(&o.Verbosity, "verbosity", "v", o.Verbosity, "detail of the log; 0 is the least (default 0)")
}

// Validate returns every problem with the options, each with its remedy.
func (o *Options) Validate() []error {
	return slices.Concat(o.validateRun(), o.validateChoices(), o.validateServing(), o.validateNames(),
		o.validateSidecar(), o.validateDiscovery(), o.validateCluster())
}

// validateChoices checks the flags that take one of a few words.
func (o *Options) validateChoices() []error {
	var errs []error
	for _, choice := range []struct {
		flag, value string
		words       []string
	}{
		{"certs", o.Certs, []string{"self", "files"}},
		{"tls-min-version", o.TLSMinVersion, []string{"1.3", "1.2"}},
		{"ports", o.Ports, []string{"declared", "any"}},
		{"mesh", o.Mesh, []string{"respect", "ignore"}},
		{"ip-family", o.IPFamily, []string{"respect", "ignore"}},
		{"pod-ip-family", o.PodIPFamily, []string{"auto", "4", "6"}},
		{"bare-pods", o.BarePods, []string{"rewrite", "skip"}},
		{"grpc-probe-tls", o.GRPCProbeTLS, []string{"never", "always"}},
		{"log-format", o.LogFormat, []string{"json", "text"}},
	} {
		if !slices.Contains(choice.words, choice.value) {
			errs = append(errs, fmt.Errorf("--%s=%q is not known: use %s", choice.flag, choice.value, strings.Join(choice.words, " or ")))
		}
	}
	return errs
}

func (o *Options) validateServing() []error {
	var errs []error
	if o.BindAddress != "" {
		if _, err := netip.ParseAddr(o.BindAddress); err != nil {
			errs = append(errs, fmt.Errorf("--bind-address=%q is no IP address: give one, or leave it empty for all", o.BindAddress))
		}
	}
	if o.Port < 1 || o.Port > 65535 {
		errs = append(errs, fmt.Errorf("--port=%d is no port: use 1 to 65535", o.Port))
	}
	if o.CertDir == "" {
		errs = append(errs, fmt.Errorf("--cert-dir is empty: name the directory that holds tls.crt and tls.key"))
	}
	if o.MaxConcurrentReviews < 1 {
		errs = append(errs, fmt.Errorf("--max-concurrent-reviews=%d lets no review through: use at least 1", o.MaxConcurrentReviews))
	}
	if o.DrainDuration < 0 {
		errs = append(errs, fmt.Errorf("--drain-duration=%s is negative: use 0s to end at once", o.DrainDuration))
	}
	if o.Verbosity < 0 {
		errs = append(errs, fmt.Errorf("-v=%d is negative: use 0 for the least detail", o.Verbosity))
	}
	for _, a := range []struct{ flag, address string }{
		{"metrics-bind-address", o.MetricsBindAddress},
		{"health-probe-bind-address", o.HealthProbeBindAddress},
	} {
		if !isAddress(a.address) {
			errs = append(errs, fmt.Errorf("--%s=%q is no address: use HOST:PORT or :PORT, or 0 to switch it off", a.flag, a.address))
		}
	}
	return errs
}

// isAddress says whether an address is HOST:PORT, or 0 for none.
func isAddress(address string) bool {
	if address == "0" {
		return true
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// name is what --tool-name and --mesh-proxy-name take: a plain file or
// container name.
var name = regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)

func (o *Options) validateNames() []error {
	var errs []error
	for _, n := range o.ToolNames {
		if !name.MatchString(n) {
			errs = append(errs, fmt.Errorf("--tool-name=%q is no file name: give the last element of the path, of letters, digits and . _ + -", n))
		}
	}
	for _, n := range o.MeshProxyNames {
		if !name.MatchString(n) {
			errs = append(errs, fmt.Errorf("--mesh-proxy-name=%q is no container name: give the proxy's container name", n))
		}
	}
	return errs
}

func (o *Options) validateCluster() []error {
	var errs []error
	if o.Certs == "self" && o.runs(runAdmission) {
		if err := o.Self.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if o.PodIP != "" && o.PodIPFamily == "auto" {
		if _, err := netip.ParseAddr(o.PodIP); err != nil {
			errs = append(errs, fmt.Errorf("POD_IP=%q is no IP address: take it from status.podIP, or set --pod-ip-family", o.PodIP))
		}
	}
	return errs
}

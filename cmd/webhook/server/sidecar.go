package server

import (
	"bufio"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/discovery"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/probeshift/probeshift/pkg/admission"
	"github.com/probeshift/probeshift/pkg/admission/apiversion"
	"github.com/probeshift/probeshift/pkg/certs/published"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

const (
	// resolvConf is what the kubelet writes for Pods whose dnsPolicy is
	// ClusterFirst, the webhook's own among them.
	resolvConf = "/etc/resolv.conf"
	// usualDomain is the domain of clusters that were not told otherwise.
	usualDomain = "cluster.local"
)

func (o *Options) sidecarFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.LBImage, "lb-image", o.LBImage, "image of the load-balancing sidecar: Envoy, whose entry point is the program itself")
	fs.StringVar(&o.ClusterDomain, "cluster-domain", o.ClusterDomain,
		"domain of the cluster's Services; empty means that of the search list in "+resolvConf+", or "+usualDomain+" without one (default empty)")
	fs.BoolVar(&o.LBSingleStackIPv6, "lb-single-stack-ipv6", o.LBSingleStackIPv6,
		"Pods have IPv6 addresses alone, so that every name that is balanced shares the loopback address ::1")
	fs.BoolVar(&o.LBDiscovery, "lb-discovery", o.LBDiscovery,
		"new sidecars follow EndpointSlices through discovery, with DNS behind it; needs the component lb-discovery (default false)")
	fs.DurationVar(&o.LBHealthCheckInterval, "lb-health-check-interval", o.LBHealthCheckInterval,
		"time between two connections by which a sidecar that follows EndpointSlices checks a backend, 1s to 5m; each costs endpoints x sidecars / interval connections a second")
}

// What a sidecar's check of a backend may be set to. Below, it is a load; above,
// a pool whose members were all replaced while discovery was away stays stale for
// too long.
const (
	defaultCheckInterval = 5 * time.Second
	leastCheckInterval   = time.Second
	mostCheckInterval    = 5 * time.Minute
)

// image is what a container's image may look like, roughly: the kubelet says
// the rest.
var image = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$`)

func (o *Options) validateSidecar() []error {
	var errs []error
	if !image.MatchString(o.LBImage) {
		errs = append(errs, fmt.Errorf("--lb-image=%q is no image: name Envoy's, such as %s", o.LBImage, sidecar.DefaultImage))
	}
	if o.ClusterDomain != "" && len(validation.IsDNS1123Subdomain(o.ClusterDomain)) > 0 {
		errs = append(errs, fmt.Errorf("--cluster-domain=%q is no domain: write it without a final dot, such as %s", o.ClusterDomain, usualDomain))
	}
	if o.LBHealthCheckInterval < leastCheckInterval || o.LBHealthCheckInterval > mostCheckInterval {
		errs = append(errs, fmt.Errorf("--lb-health-check-interval=%s is out of range: use %s to %s", o.LBHealthCheckInterval, leastCheckInterval, mostCheckInterval))
	}
	return errs
}

// sidecarPolicy turns the flags into what an injection takes. conf is the
// content of /etc/resolv.conf.
func sidecarPolicy(options *Options, conf string) sidecar.Policy {
	domain := options.ClusterDomain
	if domain == "" {
		domain = searchedDomain(conf)
	}
	return sidecar.Policy{
		Image:         options.LBImage,
		ClusterDomain: domain,
		IPv6:          options.LBSingleStackIPv6,
		ToolNames:     options.ToolNames,
		MeshProxies:   options.MeshProxyNames,
	}
}

// searchedDomain is the cluster's domain by the search list that the kubelet
// writes: <namespace>.svc.<domain> svc.<domain> <domain>.
func searchedDomain(conf string) string {
	scanner := bufio.NewScanner(strings.NewReader(conf))
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 || words[0] != "search" {
			continue
		}
		for _, word := range words[1:] {
			domain, found := strings.CutPrefix(strings.TrimSuffix(word, "."), "svc.")
			if found && len(validation.IsDNS1123Subdomain(domain)) == 0 {
				return domain
			}
		}
	}
	return usualDomain
}

// sidecarDiscovery returns how sidecars reach discovery, but for its CA, or nil
// where they are to work from DNS. The host ends with a dot: sidecars look up no
// search list.
func sidecarDiscovery(options *Options, domain string) *sidecar.Discovery {
	if !options.LBDiscovery {
		return nil
	}
	name := options.discovery().Host()
	return &sidecar.Discovery{
		Host:          name + "." + domain + ".",
		Port:          uint16(options.DiscoveryPort), //nolint:gosec // validated
		ServerName:    name,
		CheckInterval: options.LBHealthCheckInterval,
	}
}

// addSidecars returns how Pods get the sidecar. The release of the API server is
// asked for where there is one to ask, and the CA of discovery followed where
// sidecars are to use it, which is something to wait for.
func addSidecars(m manager.Manager, config *Config) (*admission.Sidecars, checks, error) {
	sidecars := &admission.Sidecars{Policy: config.Admission.Sidecar, Inject: sidecar.Inject}
	if config.KubeConfig == nil {
		return sidecars, nil, nil
	}
	client, err := discovery.NewDiscoveryClientForConfig(config.KubeConfig)
	if err != nil {
		return nil, nil, fmt.Errorf("make a client for the API server's release: %w", err)
	}
	release := apiversion.New(client, config.Log.WithName("api-version"))
	if err := m.Add(unelected{release}); err != nil {
		return nil, nil, fmt.Errorf("add the look at the API server's release: %w", err)
	}
	sidecars.APIServer = release.Known
	if config.Admission.Discovery == nil {
		return sidecars, nil, nil
	}
	follower, err := addDiscoveryCA(m, config)
	if err != nil {
		return nil, nil, err
	}
	sidecars.Discovery = func() *sidecar.Discovery {
		ca := follower.CA()
		if ca == "" {
			return nil
		}
		reached := *config.Admission.Discovery
		reached.CA = ca
		return &reached
	}
	return sidecars, checks{{"CA of discovery", passing(follower.Ready)}}, nil
}

// addDiscoveryCA follows the CA of discovery.
func addDiscoveryCA(m manager.Manager, config *Config) (*published.Follower, error) {
	client, err := corev1client.NewForConfig(config.KubeConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client for the CA of discovery: %w", err)
	}
	follower := published.New(published.Config{
		Client:    client.RESTClient(),
		Namespace: config.Namespace,
		Name:      config.Admission.DiscoveryConfigMap,
		Metrics:   config.Metrics,
		Log:       config.Log.WithName("discovery-ca"),
	})
	if err := m.Add(unelected{follower}); err != nil {
		return nil, fmt.Errorf("add the look at the CA of discovery: %w", err)
	}
	return follower, nil
}

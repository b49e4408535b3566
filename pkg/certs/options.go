package certs

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Options say what the self source keeps, where, and for how long things live.
// The lives are options for the sake of tests; the defaults suit a cluster.
type Options struct {
	// Kind is whose certificates they are.
	Kind Kind
	// Namespace holds the Secret, the Service and the ConfigMap.
	Namespace string
	// Secret is the name of the Secret that holds the state. It is made at
	// run time.
	Secret string
	// Service is the name of the Service that clients call.
	Service string
	// Configuration is the name of the MutatingWebhookConfiguration, where the
	// kind is Webhook.
	Configuration string
	// ConfigMap is the name of the ConfigMap, where the kind is Discovery. It
	// is made at run time.
	ConfigMap string
	// ExtraNames are DNS names and IP addresses that the leaf carries beside
	// those of the Service.
	ExtraNames []string

	// CALife is how long a CA lives from its issue. Rotation begins at 2/3.
	CALife time.Duration
	// LeafLife is how long a leaf lives from its issue; it is renewed at 2/3.
	LeafLife time.Duration
	// Settle is how long a CA must have been in the live object before a leaf
	// of it is served. API servers follow the configuration each on its own,
	// nothing acknowledges, and a silently dead watch lives up to 10 minutes.
	// (The webhook's replicas follow the ConfigMap in the same way.)
	Settle time.Duration
	// Overlap is how long after it was made the next CA signs at the earliest.
	// The settle time is too short for clients that took the CA once and keep
	// it, as sidecars do for as long as their Pods live; and it is counted in
	// the memory of a replica, which does not live for long. Zero for the
	// webhook.
	Overlap time.Duration
	// RetireMargin is how much longer than a leaf lives a previous CA stays
	// trusted after it signed for the last time. It must cover the 10 minutes
	// for which a replica may sign from what it has read, and the difference
	// of clocks.
	RetireMargin time.Duration
	// Interval is how often a replica looks when nothing happens.
	Interval time.Duration
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// DefaultOptions returns the webhook's options, those that suit the manifests
// of the project.
func DefaultOptions() Options {
	return Options{
		Namespace:     "probeshift",
		Secret:        "probeshift-ca",
		Service:       "probeshift-webhook",
		Configuration: "grpc-probeshift",
		CALife:        year,
		LeafLife:      7 * day,
		Settle:        15 * time.Minute,
		RetireMargin:  time.Hour,
		Interval:      time.Minute,
	}
}

// DefaultDiscoveryOptions returns discovery's options, those that suit the
// manifests of the project. A sidecar whose Pod is younger than the overlap
// trusts every CA that signs.
func DefaultDiscoveryOptions() Options {
	return Options{
		Kind:         Discovery,
		Namespace:    "probeshift",
		Secret:       "probeshift-discovery-ca",
		Service:      "probeshift-discovery",
		ConfigMap:    "probeshift-discovery-ca",
		CALife:       10 * year,
		LeafLife:     7 * day,
		Settle:       15 * time.Minute,
		Overlap:      year,
		RetireMargin: time.Hour,
		Interval:     time.Minute,
	}
}

// AddFlags binds the webhook's options to flags whose defaults are the present
// values.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Namespace, "namespace", o.Namespace, "namespace of the Secrets, Services and ConfigMaps that the process keeps or reads")
	flags.StringVar(&o.Secret, "cert-secret", o.Secret, "name of the Secret that holds the CA; made at run time")
	flags.StringVar(&o.Service, "service", o.Service, "name of the Service that API servers call")
	flags.StringVar(&o.Configuration, "webhook-configuration", o.Configuration, "name of the MutatingWebhookConfiguration")
	flags.StringSliceVar(&o.ExtraNames, "extra-names", o.ExtraNames, "DNS names and IP addresses that the certificate carries beside the Service's (default none)")
	flags.DurationVar(&o.CALife, "ca-life", o.CALife, "how long a CA lives; rotation begins at 2/3 of it")
	flags.DurationVar(&o.LeafLife, "leaf-life", o.LeafLife, "how long a serving certificate lives; it is renewed at 2/3 of it")
	flags.DurationVar(&o.Settle, "settle-time", o.Settle, "how long a CA must have been in the caBundle before it is used")
	flags.DurationVar(&o.RetireMargin, "retire-margin", o.RetireMargin, "how much longer than a leaf lives a replaced CA stays trusted")
}

// AddDiscoveryFlags binds discovery's options to flags whose defaults are the
// present values. The namespace is that of AddFlags.
func (o *Options) AddDiscoveryFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Secret, "discovery-secret", o.Secret, "name of the Secret that holds discovery's CA; made at run time")
	flags.StringVar(&o.ConfigMap, "discovery-configmap", o.ConfigMap,
		"name of the ConfigMap in whose key "+keyBundle+" discovery publishes its CA; made at run time, and read by the webhook with --lb-discovery")
	flags.StringVar(&o.Service, "discovery-service", o.Service, "name of the Service that sidecars call")
	flags.DurationVar(&o.CALife, "discovery-ca-life", o.CALife, "how long a CA of discovery lives; rotation begins at 2/3 of it")
	flags.DurationVar(&o.LeafLife, "discovery-leaf-life", o.LeafLife, "how long a serving certificate of discovery lives; it is renewed at 2/3 of it")
	flags.DurationVar(&o.Settle, "discovery-settle-time", o.Settle, "how long a CA must have been in the ConfigMap before it is used")
	flags.DurationVar(&o.Overlap, "discovery-overlap", o.Overlap,
		"how long the next CA is published before it is used; Pods that are older go on from DNS then")
	flags.DurationVar(&o.RetireMargin, "discovery-retire-margin", o.RetireMargin,
		"how much longer than a serving certificate lives a replaced CA of discovery stays published")
}

// Validate returns every problem of the options in one error. It speaks of
// them by their flags.
func (o Options) Validate() error {
	names := []struct{ flag, name string }{
		{"namespace", o.Namespace}, {"cert-secret", o.Secret}, {"service", o.Service},
	}
	if o.Kind == Discovery {
		names = append(names, struct{ flag, name string }{"configmap", o.ConfigMap})
	} else {
		names = append(names, struct{ flag, name string }{"webhook-configuration", o.Configuration})
	}
	var problems []error
	for _, n := range names {
		for _, problem := range validation.IsDNS1123Subdomain(n.name) {
			problems = append(problems, fmt.Errorf("--%s=%q: %s", o.flag(n.flag), n.name, problem))
		}
	}
	for _, name := range o.ExtraNames {
		if net.ParseIP(name) == nil && len(validation.IsDNS1123Subdomain(name)) > 0 {
			problems = append(problems, fmt.Errorf("--%s=%q: write a DNS name or an IP address", o.flag("extra-names"), name))
		}
	}
	return errors.Join(append(problems, o.validateLives()...)...)
}

// validateLives returns every problem of the durations.
func (o Options) validateLives() []error {
	var problems []error
	if o.Settle < 0 || o.RetireMargin < 0 || o.Interval <= 0 {
		problems = append(problems, fmt.Errorf("--%s and --%s must not be negative, the interval must be positive",
			o.flag("settle-time"), o.flag("retire-margin")))
	}
	if o.Overlap < 0 {
		problems = append(problems, fmt.Errorf("--%s=%s must not be negative", o.flag("overlap"), o.Overlap))
	}
	if o.LeafLife <= 0 {
		problems = append(problems, fmt.Errorf("--%s=%s: write a positive duration, such as 168h", o.flag("leaf-life"), o.LeafLife))
	}
	// The last third of a CA's life must see the whole rotation through.
	if least := 3 * (o.LeafLife + o.Settle + o.Overlap); o.CALife < least {
		parts := "the leaf life and the settle time"
		if o.Overlap > 0 {
			parts = "the leaf life, the settle time and the overlap"
		}
		problems = append(problems, fmt.Errorf("--%s=%s: write at least %s, three times %s", o.flag("ca-life"), o.CALife, least, parts))
	}
	return problems
}

// names returns what the leaf is valid for, the name that clients use first.
func (o Options) names() []string {
	base := o.Service + "." + o.Namespace
	return append([]string{o.Host(), base + ".svc.cluster.local", base, o.Service}, o.ExtraNames...)
}

// Host returns the name for which sidecars verify discovery's leaf, and API
// servers that of a webhook which they call by its Service.
func (o Options) Host() string { return o.Service + "." + o.Namespace + ".svc" }

// spentMargin is how long before its end a certificate counts as used up: an
// hour, less where leaves live for less than six hours.
func (o Options) spentMargin() time.Duration { return min(time.Hour, o.LeafLife/6) }

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
	// Namespace holds the Secret and the Service.
	Namespace string
	// Secret is the name of the Secret that holds the state. It is made at
	// run time.
	Secret string
	// Service is the name of the Service that API servers call.
	Service string
	// Configuration is the name of the MutatingWebhookConfiguration.
	Configuration string
	// ExtraNames are DNS names and IP addresses that the leaf carries beside
	// those of the Service.
	ExtraNames []string

	// CALife is how long a CA lives from its issue. Rotation begins at 2/3.
	CALife time.Duration
	// LeafLife is how long a leaf lives from its issue; it is renewed at 2/3.
	LeafLife time.Duration
	// Settle is how long a CA must have been in the live caBundle before a
	// leaf of it is served. API servers follow the configuration each on its
	// own, nothing acknowledges, and a silently dead watch lives up to 10
	// minutes.
	Settle time.Duration
	// RetireMargin is how much longer than a leaf lives a previous CA stays
	// trusted after it signed for the last time. It must cover the 10 minutes
	// for which a replica may sign from what it has read, and the difference
	// of clocks.
	RetireMargin time.Duration
	// Interval is how often a replica looks when nothing happens.
	Interval time.Duration
}

// DefaultOptions returns the options that suit the manifests of the project.
func DefaultOptions() Options {
	return Options{
		Namespace:     "probeshift",
		Secret:        "probeshift-ca",
		Service:       "probeshift-webhook",
		Configuration: "grpc-probeshift",
		CALife:        365 * 24 * time.Hour,
		LeafLife:      7 * 24 * time.Hour,
		Settle:        15 * time.Minute,
		RetireMargin:  time.Hour,
		Interval:      time.Minute,
	}
}

// AddFlags binds the options to flags whose defaults are the present values.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Namespace, "namespace", o.Namespace, "namespace of the webhook's Secret and Service")
	flags.StringVar(&o.Secret, "cert-secret", o.Secret, "name of the Secret that holds the CA; made at run time")
	flags.StringVar(&o.Service, "service", o.Service, "name of the Service that API servers call")
	flags.StringVar(&o.Configuration, "webhook-configuration", o.Configuration, "name of the MutatingWebhookConfiguration")
	flags.StringSliceVar(&o.ExtraNames, "extra-names", o.ExtraNames, "DNS names and IP addresses that the certificate carries beside the Service's (default none)")
	flags.DurationVar(&o.CALife, "ca-life", o.CALife, "how long a CA lives; rotation begins at 2/3 of it")
	flags.DurationVar(&o.LeafLife, "leaf-life", o.LeafLife, "how long a serving certificate lives; it is renewed at 2/3 of it")
	flags.DurationVar(&o.Settle, "settle-time", o.Settle, "how long a CA must have been in the caBundle before it is used")
	flags.DurationVar(&o.RetireMargin, "retire-margin", o.RetireMargin, "how much longer than a leaf lives a replaced CA stays trusted")
}

// Validate returns every problem of the options in one error.
func (o Options) Validate() error {
	var problems []error
	for flag, name := range map[string]string{
		"namespace": o.Namespace, "cert-secret": o.Secret,
		"service": o.Service, "webhook-configuration": o.Configuration,
	} {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			problems = append(problems, fmt.Errorf("--%s=%q: %s", flag, name, problem))
		}
	}
	for _, name := range o.ExtraNames {
		if net.ParseIP(name) == nil && len(validation.IsDNS1123Subdomain(name)) > 0 {
			problems = append(problems, fmt.Errorf("--extra-names=%q: write a DNS name or an IP address", name))
		}
	}
	if o.Settle < 0 || o.RetireMargin < 0 || o.Interval <= 0 {
		problems = append(problems, errors.New("--settle-time and --retire-margin must not be negative, the interval must be positive"))
	}
	if o.LeafLife <= 0 {
		problems = append(problems, fmt.Errorf("--leaf-life=%s: write a positive duration, such as 168h", o.LeafLife))
	}
	// The last third of a CA's life must see the whole rotation through.
	if least := 3 * (o.LeafLife + o.Settle); o.CALife < least {
		problems = append(problems, fmt.Errorf("--ca-life=%s: write at least %s, three times the leaf life and the settle time", o.CALife, least))
	}
	return errors.Join(problems...)
}

// names returns what the leaf is valid for, the name that API servers use
// first.
func (o Options) names() []string {
	base := o.Service + "." + o.Namespace
	return append([]string{base + ".svc", base + ".svc.cluster.local", base, o.Service}, o.ExtraNames...)
}

// spentMargin is how long before its end a certificate counts as used up: an
// hour, less where leaves live for less than six hours.
func (o Options) spentMargin() time.Duration { return min(time.Hour, o.LeafLife/6) }

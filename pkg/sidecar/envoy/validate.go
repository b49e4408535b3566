package envoy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// validate checks what Envoy's own rules do not: they know neither what a name
// without a final dot leads to here, nor that two listeners exclude each other.
func (c Config) validate() error {
	var errs []error
	if c.MetricsPort == 0 {
		errs = append(errs, errors.New("the port of the metrics is 0: give one from 1 to 65535"))
	}
	if len(c.Upstreams) == 0 {
		errs = append(errs, errors.New("there is no upstream"))
	}
	if c.Discovery != nil {
		for _, err := range c.Discovery.problems() {
			errs = append(errs, fmt.Errorf("discovery: %w", err))
		}
	}
	names, listeners := map[string]bool{}, map[netip.AddrPort]bool{}
	for _, u := range c.Upstreams {
		for _, err := range u.problems() {
			errs = append(errs, fmt.Errorf("upstream %q: %w", u.Name, err))
		}
		if u.Members.Resource != "" && c.Discovery == nil {
			errs = append(errs, fmt.Errorf("upstream %q: it has a resource, %q, and there is no discovery to ask for it", u.Name, u.Members.Resource))
		}
		if names[statName(u.Name)] {
			errs = append(errs, fmt.Errorf("upstream %q: another one has the same name in statistics", u.Name))
		}
		if listeners[u.Listen] {
			errs = append(errs, fmt.Errorf("upstream %q: another one listens at %s", u.Name, u.Listen))
		}
		names[statName(u.Name)], listeners[u.Listen] = true, true
	}
	return errors.Join(errs...)
}

func (u Upstream) problems() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	switch _, port, _ := strings.Cut(u.Name, ":"); {
	case u.Name == "":
		add("it has no name")
	case port == "":
		// So is no cluster of ours, and statistics tell them by it.
		add("its name does not end in a port, as greeter.shop:9000 does")
	}
	if !printable(u.Name + u.Members.Host) {
		add("its name or its backend's, %q, has other characters than printable ASCII", u.Members.Host)
	}
	if !u.Listen.IsValid() || u.Listen.Port() == 0 {
		add("%q is no address and port to listen at", u.Listen)
	}
	if !strings.HasSuffix(u.Members.Host, ".") || len(u.Members.Host) < 2 {
		add("the backend's name %q does not end in a dot, so the Pod's hosts file could lead back to Envoy", u.Members.Host)
	}
	if name, _ := strings.CutSuffix(u.Members.Resource, "@"+NodeZone); name != "" {
		if _, err := resource.Parse(name); err != nil {
			add("its resource: %w", err)
		}
	}
	if u.Members.Port == 0 {
		add("the backend's port is 0: give one from 1 to 65535")
	}
	if r := u.Members.Refresh; r < time.Second || r > time.Minute {
		add("a refresh of %s is not between 1s and 60s", r)
	}
	switch u.Algorithm {
	case LeastRequest, RoundRobin, Random:
	default:
		add("%q is none of the algorithms %s, %s, %s", u.Algorithm, LeastRequest, RoundRobin, Random)
	}
	switch u.Protocol {
	case Auto, HTTP, TCP:
	default:
		add("%q is none of the protocols %s, %s, %s", u.Protocol, Auto, HTTP, TCP)
	}
	if u.Retries > 10 {
		add("%d retries are more than 10", u.Retries)
	}
	switch {
	case !slices.Contains([]string{"", noCheck, grpcCheck, tcpCheck}, u.HealthCheck.Kind):
		add("%q is none of the health checks %s, %s, %s", u.HealthCheck.Kind, noCheck, grpcCheck, tcpCheck)
	case u.HealthCheck.Kind == grpcCheck && u.Protocol == TCP:
		add("gRPC health checks need a protocol of %s or %s, not %s", HTTP, Auto, TCP)
	}
	if !printable(u.HealthCheck.Service) {
		add("the service %q of its health check has other characters than printable ASCII", u.HealthCheck.Service)
	}
	return errs
}

// problems says what is wrong with a Discovery.
func (d Discovery) problems() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !strings.HasSuffix(d.Host, ".") || len(d.Host) < 2 || !printable(d.Host) {
		add("its name %q does not end in a dot, or is not printable ASCII", d.Host)
	}
	if d.Port == 0 {
		add("its port is 0: give one from 1 to 65535")
	}
	if d.ServerName == "" || !printable(d.ServerName) {
		add("the name %q that its certificate is to have is none", d.ServerName)
	}
	if i := d.CheckInterval; i < time.Second || i > 5*time.Minute {
		add("an interval of %s between health checks is not between 1s and 5m", i)
	}
	if _, err := d.blocks(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// printable says whether YAML and Envoy's log read a text as it is written.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

package envoy

import (
	"net/netip"
	"time"
)

// Config is what a sidecar is to do, checked and resolved: names are fully
// qualified, addresses are chosen, defaults are filled in.
type Config struct {
	Upstreams []Upstream
	// MetricsPort is where /ready and /stats/prometheus are served, at the
	// Pod's IP.
	MetricsPort uint16
	// IPv6 says that the Pod has IPv6 addresses alone.
	IPv6 bool
}

// Upstream is one backend and where the application reaches it.
type Upstream struct {
	// Name is the upstream's, "greeter.shop:9000", unlike that of any other.
	// Statistics write its dots and its colon as underscores.
	Name string
	// Listen is where the application's connections arrive.
	Listen netip.AddrPort
	// Members is where the addresses of the backend's Pods come from.
	Members     Members
	Algorithm   Algorithm
	Protocol    Protocol
	HealthCheck HealthCheck
	// Retries is how often a request that never reached the application is
	// sent again: 0 to 10.
	Retries uint32
}

// Members is where a pool's members come from: DNS alone, for now.
type Members struct {
	// Host is a fully qualified name with a final dot. Without the dot the
	// Pod's own hosts file, which maps the name to Envoy, would be asked.
	Host string
	Port uint16
	// Refresh is the time between two looks: 1s to 60s.
	Refresh time.Duration
}

// Algorithm is how a host is picked for a request.
type Algorithm string

// The algorithms.
const (
	// LeastRequest gives a request to the host with the fewest under way, of some
	// that are drawn at random.
	LeastRequest Algorithm = "least-request"
	// RoundRobin gives each host its turn.
	RoundRobin Algorithm = "round-robin"
	// Random draws a host.
	Random Algorithm = "random"
)

// Protocol is what is spoken on a connection.
type Protocol string

// The protocols.
const (
	// Auto tells HTTP from everything else by the first bytes.
	Auto Protocol = "auto"
	// HTTP is HTTP/1.1 and HTTP/2 without TLS, never passed through.
	HTTP Protocol = "http"
	// TCP is passed through, connection by connection.
	TCP Protocol = "tcp"
)

// HealthCheck is how members are asked for their health. The zero value asks
// nobody.
type HealthCheck struct {
	// Kind is "", "grpc" or "tcp". Where connections are passed through it is ""
	// or "tcp"; beside a pool for requests nobody else is asked.
	Kind string
	// Service is the service that a gRPC health check names; it may be empty.
	Service string
}

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
	// Discovery is the server that tells the members of upstreams with a
	// Resource; nil where there are none.
	Discovery *Discovery
}

// Discovery is the server from which pools get their members, and how sidecars
// that do so check on them.
type Discovery struct {
	// Host is the server's fully qualified name with a final dot, and Port the
	// port that it listens on.
	Host string
	Port uint16
	// ServerName is the name that its certificate is for.
	ServerName string
	// CA holds the certificates that its own may be signed with, as PEM.
	CA string
	// CheckInterval is the time between two health checks of one member: 1s to
	// 5m.
	CheckInterval time.Duration
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

// Members is where a pool's members come from: DNS alone, or discovery with DNS
// behind it.
type Members struct {
	// Resource is what discovery calls the backend, as NodeZone has it, or empty
	// for DNS alone.
	Resource string
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
// nobody, but members of a pool for requests that discovery told: those by TCP.
type HealthCheck struct {
	// Kind is "", "none", "grpc" or "tcp". Where connections are passed through it
	// is not "grpc"; beside a pool for requests nobody else is asked.
	Kind string
	// Service is the service that a gRPC health check names; it may be empty.
	Service string
}

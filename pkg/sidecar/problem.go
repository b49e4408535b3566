package sidecar

import (
	"fmt"
	"strings"
)

// Code names a problem or a warning.
type Code string

// The problems. Each refuses the Pod.
const (
	// UnknownKey: an annotation with our prefix has a key that is not known.
	UnknownKey Code = "unknown-annotation"
	// BadValue: an annotation has a value that is not known.
	BadValue Code = "bad-value"
	// BadUpstream: an entry of upstreams cannot be read.
	BadUpstream Code = "bad-upstream"
	// DuplicateUpstream: one name and port is dialled for two backends.
	DuplicateUpstream Code = "duplicate-upstream"
	// DNSPolicy: the Pod does not ask the cluster's DNS.
	DNSPolicy Code = "dns-policy"
	// HostNetwork: the Pod shares the loopback addresses of its node.
	HostNetwork Code = "host-network"
	// Windows: the Pod runs on Windows.
	Windows Code = "windows"
	// OldAPIServer: the API server drops what makes a container a sidecar.
	OldAPIServer Code = "old-api-server"
	// Mesh: the Pod asks for a mesh, which balances by itself.
	Mesh Code = "mesh"
	// NameTaken: a container of the Pod has the sidecar's name.
	NameTaken Code = "container-name-taken"
	// OwnAlias: the Pod has a hostAlias of its own for the name.
	OwnAlias Code = "own-host-alias"
	// HostsVolume: a volume hides the hosts file that the kubelet writes.
	HostsVolume Code = "hosts-volume"
	// MetricsPortClash: the Pod itself listens on the metrics port.
	MetricsPortClash Code = "metrics-port-clash"
	// PortClash: the Pod itself listens on the port that it dials.
	PortClash Code = "port-clash"
	// NothingToRewrite: an address had to be rewritten and is nowhere found.
	NothingToRewrite Code = "nothing-to-rewrite"
	// UnlistedPort: the Pod dials an aliased name on a port that leads nowhere.
	UnlistedPort Code = "unlisted-port"
	// Sysctl: the Pod sets the sysctl that the sidecar needs to another value.
	Sysctl Code = "sysctl"
	// BadResources: the sidecar's requests and limits contradict each other.
	BadResources Code = "bad-resources"
	// TooLarge: the Pod or the proxy's configuration would be too large.
	TooLarge Code = "too-large"
)

// Codes returns every code of a problem, in the order of the rules.
func Codes() []Code {
	return []Code{
		UnknownKey, BadValue, BadUpstream, DuplicateUpstream, DNSPolicy, HostNetwork, Windows, OldAPIServer, Mesh, NameTaken,
		OwnAlias, HostsVolume, MetricsPortClash, PortClash, NothingToRewrite, UnlistedPort, Sysctl, BadResources, TooLarge,
	}
}

// Problem is one mistake of the Pod's owner.
type Problem struct {
	Code Code
	// Text says what is wrong and where. Remedy says what to write instead.
	// Neither holds anything of the Pod's env but names, and addresses of
	// upstreams.
	Text, Remedy string
}

// String is the whole problem in one line.
func (p Problem) String() string { return p.Text + ": " + p.Remedy }

// maxProblems is how many problems a message tells. The Pod's controller repeats
// the message in its status and in an Event for each attempt.
const maxProblems = 20

// message tells all problems in one line.
func message(problems []Problem) string {
	if len(problems) == 1 {
		return "the load-balancing sidecar cannot be injected: " + problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the load-balancing sidecar cannot be injected, %d problems:", len(problems))
	for i, p := range problems[:min(len(problems), maxProblems)] {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " (%d) %s", i+1, p)
	}
	if more := len(problems) - maxProblems; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// maxShown is how many bytes of a value from outside are repeated in a text.
const maxShown = 60

// shown quotes a value from outside, on one line and not too long.
func shown(value string) string {
	if len(value) <= maxShown {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(value[:maxShown], "")+"...")
}

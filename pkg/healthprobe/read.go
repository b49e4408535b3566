package healthprobe

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// Reader reads commands. The zero value knows the tool by its own names, on a
// cluster without TLS probes whose Pods have IPv4 addresses first.
type Reader struct {
	// ToolNames are further names of the tool's binary: last path elements,
	// compared as they are.
	ToolNames []string
	// TLSProbes says that a native probe can speak TLS without verification
	// (Kubernetes 1.37, gate GRPCContainerProbeTLS).
	TLSProbes bool
	// IPv6 says that the primary IP of Pods is IPv6.
	IPv6 bool

	flags *flagReader
}

// ForMany returns a Reader that reads many commands at less cost. It must not
// be used by several goroutines at once.
func (r Reader) ForMany() Reader {
	r.flags = newFlagReader()
	return r
}

// Container is what a command's meaning depends on in its container.
type Container struct {
	// Env is the container's env list.
	Env []corev1.EnvVar
	// HostNetwork says that the Pod shares the network of its node.
	HostNetwork bool
	// HostnameOverridden says that the Pod's HOSTNAME is not the name that its
	// /etc/hosts resolves (spec.hostnameOverride).
	HostnameOverridden bool
	// Template says that a platform adds env before the Pod runs (a Knative
	// Service), so that a variable that the list does not hold may be defined.
	Template bool
}

// Check is what a command checks, in the terms of a native probe.
type Check struct {
	// Host is where the tool dials.
	Host Host
	// Port is from 1 to 65535.
	Port int32
	// Service is the name of the checked service, "" for the whole server.
	Service string
	// TLS says that the tool speaks TLS and verifies nothing.
	TLS bool
	// Budget is the longest that the command takes: connect-timeout and
	// rpc-timeout together, or the shortest timeout wrapper.
	Budget time.Duration
}

// Reading is what a command turned out to be.
type Reading struct {
	// Ours says that the command names the tool; nothing else is set if not.
	Ours bool
	// Reason is why the command cannot be native; None if it can.
	Reason reason.Code
	// Detail says what in the command the reason stands on; it may be empty
	// and never holds a value that could be secret.
	Detail string
	// Check is what the command checks; it is set when Reason is None.
	Check Check
}

// Read reads the command of an exec probe.
func (r Reader) Read(command []string, c Container) Reading {
	words, undefined, ok := expandWords(command, c.Env)
	if !ok {
		return Reading{Ours: r.names(command), Reason: reason.CommandTooLong}.orNotOurs()
	}
	named := r.names(words)
	if !named && !r.mayBeNamedByEnv(words, c.Env) {
		return Reading{}
	}
	found, halt := r.unwrap(words, c)
	if halt != nil {
		if c.Template && undefined != "" && halt.code == reason.ShellLogic { // $(X) is a substitution to the shell
			halt = unresolved(undefined)
		}
		return Reading{Ours: named, Reason: halt.code, Detail: halt.detail}.orNotOurs()
	}
	if c.Template && undefined != "" {
		found.unknown = undefined
	}
	check, halt := r.check(found, c)
	if halt != nil {
		return Reading{Ours: true, Reason: halt.code, Detail: halt.detail}
	}
	return Reading{Ours: true, Check: check}
}

// unresolved names a variable that the manifest does not hold.
func unresolved(variable string) *stop {
	return &stop{reason.UnresolvedVariable, "variable " + printable(variable)}
}

// orNotOurs forgets everything about a command that is not ours.
func (r Reading) orNotOurs() Reading {
	if !r.Ours {
		return Reading{}
	}
	return r
}

// mayBeNamedByEnv says whether a shell in the command may find the tool's name
// in a variable.
func (r Reader) mayBeNamedByEnv(words []string, env []corev1.EnvVar) bool {
	shell := false
	for _, word := range words {
		shell = shell || shellName(word) != ""
	}
	if !shell {
		return false
	}
	for _, v := range env {
		if r.namedIn(v.Value) {
			return true
		}
	}
	return false
}

// check turns the tool's arguments into what they check. The order of its
// steps is the order of the reason codes.
func (r Reader) check(found call, c Container) (Check, *stop) {
	if found.unknown != "" {
		return Check{}, unresolved(found.unknown)
	}
	if r.flags == nil {
		r.flags = newFlagReader()
	}
	s, err := r.flags.parse(found.args)
	if err != nil {
		return Check{}, alwaysFails(err.Error())
	}
	if marksElsewhere(found.args, s.addr) {
		return Check{}, &stop{reason.UnresolvedVariable, "the Pod's IP or host name stands for more than the host"}
	}
	dial, badAddress := readTarget(s.addr, r.IPv6)
	switch {
	case badAddress != nil && badAddress.code == reason.UnresolvedVariable:
		return Check{}, badAddress
	case badAddress == nil && dial.viaProxy && found.proxied(c):
		return Check{}, &stop{reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy"}
	case s.version:
		return Check{}, &stop{reason.AlwaysSucceeds, "-version"}
	}
	if err := s.validate(); err != nil {
		return Check{}, alwaysFails(err.Error())
	}
	if badAddress != nil && badAddress.code == reason.AlwaysFails {
		return Check{}, badAddress
	}
	if code := r.unsupported(s); code != reason.None {
		return Check{}, &stop{code, ""}
	}
	if badAddress != nil {
		return Check{}, badAddress
	}
	budget := s.budget()
	if found.limit > 0 && found.limit < budget {
		budget = found.limit
	}
	return Check{Host: dial.host, Port: dial.port, Service: s.service, TLS: s.tls, Budget: budget}, nil
}

// marksElsewhere says whether this Pod's IP or host name stands anywhere but in
// the one -addr.
func marksElsewhere(args []string, addr string) bool {
	marked := 0
	for _, arg := range args {
		if strings.ContainsAny(arg, marks) {
			marked++
		}
	}
	return marked > 1 || marked == 1 && !strings.ContainsAny(addr, marks)
}

// unsupported is the first of the tool's settings that a native probe lacks.
func (r Reader) unsupported(s settings) reason.Code {
	switch {
	case s.spiffe:
		return reason.SPIFFE
	case s.alts:
		return reason.ALTS
	case s.tlsClientCert != "":
		return reason.ClientCertificate
	case s.tls && !s.tlsNoVerify:
		return reason.TLSVerified
	case s.tls && !r.TLSProbes:
		return reason.TLS
	case s.rpcHeaders > 0:
		return reason.RPCHeader
	case s.userAgent != defaultUserAgent:
		return reason.UserAgent
	case s.gzip:
		return reason.Gzip
	}
	return reason.None
}

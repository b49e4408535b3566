// Package reason holds the closed set of reasons for which an exec probe of
// grpc_health_probe is left alone, with one sentence and one remedy each. The
// same codes appear in the status annotation, warnings, audit annotations,
// metrics, logs and on the command line; README's FAQ of skips is checked
// against this file.
package reason

import "slices"

// Code names one reason. The empty code means that nothing stands in the way.
type Code string

// The codes, in the order in which they are judged: a probe gets the first
// that applies.
const (
	None Code = ""

	InvalidProbe       Code = "invalid-probe"
	CommandTooLong     Code = "command-too-long"
	UnknownWrapper     Code = "unknown-wrapper"
	ShellLogic         Code = "shell-logic"
	UnresolvedVariable Code = "unresolved-variable"
	AlwaysSucceeds     Code = "always-succeeds"
	AlwaysFails        Code = "always-fails"
	SPIFFE             Code = "spiffe"
	ALTS               Code = "alts"
	ClientCertificate  Code = "client-certificate"
	TLSVerified        Code = "tls-verified"
	TLS                Code = "tls"
	RPCHeader          Code = "rpc-header"
	UserAgent          Code = "user-agent"
	Gzip               Code = "gzip"
	UnixSocket         Code = "unix-socket"
	UnusualAddress     Code = "unusual-address"
	UnresolvedPort     Code = "unresolved-port"
	LoopbackAddress    Code = "loopback-address"
	RemoteAddress      Code = "remote-address"
	BarePod            Code = "bare-pod"
	Mesh               Code = "mesh"
	IPFamily           Code = "ip-family"
	HostNetwork        Code = "host-network"
	PortNotDeclared    Code = "port-not-declared"
	SwitchedOff        Code = "switched-off"
	StatusTooLarge     Code = "status-too-large"
	InternalError      Code = "internal-error"
)

// Entry explains one code to a person.
type Entry struct {
	Code Code
	// Sentence says why the probe is left alone.
	Sentence string
	// Remedy says what the owner of the manifest can do about it.
	Remedy string
}

// entries is the closed set, in the order of judgement.
var entries = []Entry{
	{InvalidProbe, "The probe has more than one handler.",
		"Keep one handler; the API server refuses such a Pod anyway."},
	{CommandTooLong, "The command is longer than 1,024 bytes.",
		"Shorten the command, or write the grpc probe by hand."},
	{UnknownWrapper, "The tool is started through a program whose effect on the verdict is not known.",
		"Run the tool directly, or through timeout, env or a shell."},
	{ShellLogic, "The shell does more than run the tool once, so its verdict may differ from the tool's.",
		"Reduce the script to one call of the tool, without pipes, && or substitutions."},
	{UnresolvedVariable, "The command depends on a value that the Pod's manifest does not hold.",
		"Write the value into the command or into the container's env."},
	{AlwaysSucceeds, "The command never checks anything and always succeeds.",
		"Remove -version; the probe has never looked at the server."},
	{AlwaysFails, "The Go tool refuses this command, so the probe can never have passed.",
		"Correct the command; rewriting it would turn a failing probe green."},
	{SPIFFE, "The probe takes its certificates from a SPIFFE workload API, which the kubelet cannot.",
		"Offer the health service on a port without TLS."},
	{ALTS, "The probe speaks ALTS, which the kubelet does not.",
		"Offer the health service on a port without ALTS."},
	{ClientCertificate, "The probe shows a client certificate, which the kubelet does not have.",
		"Offer the health service on a port that asks for no client certificate."},
	{TLSVerified, "The probe verifies the server's certificate, which the kubelet never does.",
		"Decide whether verification matters here; with -tls-no-verify it can be rewritten where TLS probes are on."},
	{TLS, "The probe uses TLS, and native TLS probes are not switched on for this Pod.",
		"Where every kubelet has the gate GRPCContainerProbeTLS, set --grpc-probe-tls; in a mesh also annotate the Pod probeshift.dev/mesh: ignore."},
	{RPCHeader, "The probe sends headers, which the kubelet cannot.",
		"Let the health service answer without these headers."},
	{UserAgent, "The probe sends a user-agent of its own, on which the server may depend.",
		"Remove -user-agent if nothing depends on it."},
	{Gzip, "The probe compresses with gzip, which the kubelet does not.",
		"Remove -gzip if the server answers without it."},
	{UnixSocket, "The probe dials a unix socket, which the kubelet cannot reach.",
		"Offer the health service on a TCP port as well."},
	{UnusualAddress, "The address is written in a way that is not read with certainty.",
		"Write the address as :PORT or localhost:PORT."},
	{UnresolvedPort, "The port is a name that only the image's /etc/services may know.",
		"Write the port as a number."},
	{LoopbackAddress, "The probe dials a loopback address other than 127.0.0.1, so the server is bound there.",
		"Let the server listen on all addresses and the probe dial :PORT."},
	{RemoteAddress, "The probe dials another host, which the kubelet's probe cannot.",
		"Probe the container's own server."},
	{BarePod, "The Pod has no controlling owner, and such Pods are left alone by configuration.",
		"Let a Deployment or Job create the Pod, or see --bare-pods."},
	{Mesh, "The Pod is part of a service mesh, and the kubelet's probe comes from outside of it.",
		"Where the mesh lets the kubelet's probes pass, annotate the Pod probeshift.dev/mesh: ignore."},
	{IPFamily, "The probe dials one IP family and the kubelet would dial the other.",
		"If the server listens on both families, annotate the Pod probeshift.dev/ip-family: ignore."},
	{HostNetwork, "The Pod uses the host's network, where a declared port does not show that the server listens beyond loopback.",
		"If the server listens on the node's address, annotate the Pod probeshift.dev/ports: any."},
	{PortNotDeclared, "No container of the Pod declares the port, so nothing shows that the server listens beyond loopback.",
		"Declare the containerPort, or annotate the Pod probeshift.dev/ports: any."},
	{SwitchedOff, "The Pod's annotation probeshift.dev/probes switches rewriting off.",
		"Remove the annotation, or set it to rewrite."},
	{StatusTooLarge, "The status annotation, which holds what an undo needs, would not fit into the Pod.",
		"Shorten the Pod, its annotations or the probes' commands."},
	{InternalError, "The patch did not pass its own check, so it was not sent.",
		"Please report this Pod's manifest; the Pod itself is unharmed."},
}

// All returns every code with its sentence and remedy, in the order in which
// they are judged.
func All() []Entry { return slices.Clone(entries) }

// Sentence returns the sentence of a code, or the empty string for None.
func (c Code) Sentence() string { return c.entry().Sentence }

// Remedy returns what the owner of the manifest can do, or the empty string
// for None.
func (c Code) Remedy() string { return c.entry().Remedy }

func (c Code) entry() Entry {
	for _, e := range entries {
		if e.Code == c {
			return e
		}
	}
	return Entry{}
}

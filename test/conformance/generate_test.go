package conformance

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
)

// generator makes command lines, the same ones from the same seed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func (g generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

// in says yes once in n times.
func (g generator) in(n int) bool { return g.IntN(n) == 0 }

// line is a command without a shell.
type line struct {
	// Prefix are wrappers that are looked through.
	Prefix []string
	// Limit is the shortest duration among them; 0 is none.
	Limit time.Duration
	// Args are the tool's arguments, before the kubelet's expansion.
	Args []string
	Env  []corev1.EnvVar
}

func (l line) read() healthprobe.Reading { return pod{}.read(l.command(), l.Env) }

func (l line) command() []string {
	return append(append(slices.Clone(l.Prefix), "grpc_health_probe"), l.Args...)
}

// line makes a command line: half of them of parts that are right, the others
// of parts of every kind, and some with a character out of place.
func (g generator) line() line {
	var l line
	if g.in(8) {
		l.Prefix, l.Limit = g.prefix()
	}
	if g.in(6) {
		l.Env = g.env()
	}
	right := g.in(2)
	for range g.IntN(4) {
		if right {
			l.Args = append(l.Args, g.rightArgument()...)
		} else {
			l.Args = append(l.Args, g.argument()...)
		}
	}
	switch {
	case right && g.in(2):
		l.Args = append(l.Args, g.flag("addr", g.rightAddress())...)
	case !g.in(12):
		l.Args = slices.Insert(l.Args, g.IntN(len(l.Args)+1), g.flag("addr", g.address())...)
	}
	if len(l.Env) > 0 && len(l.Args) > 0 {
		i := g.IntN(len(l.Args))
		l.Args[i] = g.mutate(l.Args[i], "$(", ")", "$", "$$", "$(NAME)", "$(PORT)", "$(ADDR)", "$(EMPTY)", "$(FLAG)", "$$(PORT)", "$(NONE)")
	}
	for g.in(6) && len(l.Args) > 0 {
		i := g.IntN(len(l.Args))
		l.Args[i] = g.mutate(l.Args[i], hostile...)
	}
	return l
}

// rightArgument makes a flag that a native probe can do without.
func (g generator) rightArgument() []string {
	switch g.IntN(6) {
	case 0, 1:
		return g.flag("service", g.text())
	case 2:
		return g.flag("connect-timeout", g.one("1s", "5s", "250ms", "1m30s", "1.5s", "100ms"))
	case 3:
		return g.flag("rpc-timeout", g.one("1s", "5s", "250ms", "1m30s", "1.5s", "100ms"))
	case 4:
		return []string{g.one("-v", "--v=true", "-alts=false", "-gzip=0", "--spiffe=F", "-user-agent=grpc_health_probe", "-tls-ca-cert=")}
	}
	return []string{g.one("-tls", "--tls=1"), g.one("-tls-no-verify", "--tls-no-verify=true")}
}

func (g generator) rightAddress() string {
	return g.one("", "", "", "dns:", "dns:///", "passthrough:///", "passthrough:") +
		g.one("", "localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]") + ":" + g.one("50051", "8080", "9090", "443", "1", "65535", "http", "https")
}

var hostile = strings.Split(" |\t|\n|\r|:|::|/|//|[|]|%|%20|?|#|@|+|-|--|.|0|1|a|=|\x7f|\u0085|\u00a0|\u2028|é|,|;|&|$|~|{|}|\\|^|`|'|\"|<|>|!|*|(|)|\x01|\x1b|_|dns:|unix:|localhost|127.0.0.1|\ufeff|\u3002|\uff0e|\uff10|％|：", "|")

// mutate inserts a piece somewhere, or lets it take a character's place.
func (g generator) mutate(s string, pieces ...string) string {
	runes := []rune(s)
	at := g.IntN(len(runes) + 1)
	end := at
	if at < len(runes) && g.in(3) {
		end++
	}
	piece := g.one(pieces...)
	if g.in(8) {
		piece = ""
	}
	return string(runes[:at]) + piece + string(runes[end:])
}

func (g generator) prefix() ([]string, time.Duration) {
	switch g.IntN(5) {
	case 0:
		return []string{"timeout", "1"}, time.Second
	case 1:
		return []string{"/usr/bin/timeout", "-k", "5", "-s", "KILL", "1.5s"}, 1500 * time.Millisecond
	case 2:
		return []string{"env", "A=B", "timeout", "--preserve-status", "1m"}, time.Minute
	case 3:
		return []string{"timeout", "0", "timeout", "0.7", "timeout", "1h"}, 700 * time.Millisecond
	}
	return []string{"/usr/bin/env", "A=B", "GRPC=x=y"}, 0
}

// env makes variables as a container may declare them, in any order.
func (g generator) env() []corev1.EnvVar {
	all := []corev1.EnvVar{
		{Name: "PORT", Value: g.port()},
		{Name: "ADDR", Value: g.address()},
		{Name: "NAME", Value: g.text()},
		{Name: "NAME", Value: "later"},
		{Name: "EMPTY"},
		{Name: "FLAG", Value: g.one("-tls", "-v", "-version", "-h", "-addr")},
		{Name: "CHAIN", Value: "$(PORT)"},
		{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
		{Name: "a.b-c", Value: "odd"},
	}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:g.IntN(len(all)+1)]
}

func (g generator) argument() []string {
	switch g.IntN(16) {
	case 0, 1, 2:
		return g.flag("service", g.text())
	case 3:
		return g.flag("connect-timeout", g.duration())
	case 4:
		return g.flag("rpc-timeout", g.duration())
	case 5, 6:
		return g.boolean(g.one("tls", "tls-no-verify", "alts", "v", "gzip", "spiffe"))
	case 7:
		return g.boolean("v")
	case 8:
		return append(g.boolean("tls"), g.boolean("tls-no-verify")...)
	case 9:
		return g.flag(g.one("tls-ca-cert", "tls-client-cert", "tls-client-key", "tls-server-name"), g.one("", "x", "/no/such/file"))
	case 10:
		return g.flag(g.one("user-agent", "rpc-header"), g.one("grpc_health_probe", "a: b", "a:", ":", "", "x", "kube-probe/1.37"))
	case 11:
		return g.flag("addr", g.address())
	case 12:
		return g.boolean(g.one("version", "h", "help", "only-connect", "verbose", "V", ""))
	case 13:
		return []string{g.one("", "-", "--", "---v", "-=", "--=x", "x", "-v=", "-tls true", "=", "true", "-addr", "--service", "-rpc-timeout")}
	}
	return g.flag(g.one("connect-timeout", "rpc-timeout"), g.one("1s", "5s", "250ms", "10s", "3s"))
}

// flag writes a flag with a value in one of the forms Go knows.
func (g generator) flag(name, value string) []string {
	dashes := g.one("-", "--")
	if g.in(2) {
		return []string{dashes + name + "=" + value}
	}
	return []string{dashes + name, value}
}

func (g generator) boolean(name string) []string {
	word := g.one("-", "-", "--") + name
	switch g.IntN(4) {
	case 0:
		return []string{word + "=" + g.one("true", "false", "1", "0", "t", "F", "TRUE", "False", "yes", "", "tRUE", " true")}
	case 1:
		if g.in(4) {
			return []string{word, g.one("true", "false")}
		}
	}
	return []string{word}
}

func (g generator) duration() string {
	return g.one("1s", "3s", "200ms", "1.5s", ".5s", "1m", "1h2m3s", "100us", "7µs", "1ns", "3", "0", "0s", "-1s", "", "1d", "1 s", "+2s", "1S",
		"9223372036854775807ns", "2562047h47m16.854775807s", "2562048h", "9e3s", "0x1s", "1_0s", "-0s", "0.0000000001s", "1s1s", ".s", "1.s")
}

func (g generator) text() string {
	return g.one("", "my.pkg.Service", "svc", "readiness", "a b", " x ", "-x", "=", "é", "a=b=c", "$HOME", "\"q\"", "'", "a\nb", "\\", "*", "\u00a0",
		"liveness,readiness", "x:y", "/", "%2F", "grpc.health.v1.Health", "💚")
}

func (g generator) port() string {
	if g.in(2) {
		return g.one("50051", "8080", "9090", "443", "1", "65535")
	}
	return g.one("50051", "0", "65536", "", "-1", "+80", "080", "00", "000443", "http", "HTTP", "https", "grpc", "domain", "http-alt", "ssh", "x y", "0x50",
		"4294967297", "99999999999999999999", "5005１", "1e3", "80 ", "a.b", "-", "--1", "+", "submissions", "sSh", "65535", "1_0", "ﬁp")
}

func (g generator) host() string {
	if g.in(2) {
		return g.one("", "localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]")
	}
	return g.one("::1", "::", "LOCALHOST", "localhost.", "127.1", "127.0.0.01", "127.0.0.2", "127.00.0.1", "2130706433", "0x7f.1", "0", "[0:0:0:0:0:0:0:1]",
		"[::ffff:127.0.0.1]", "::ffff:127.0.0.1", "[::ffff:0.0.0.0]", "[::1%lo]", "[127.0.0.1]", "[localhost]", "[]", "[[::1]]", "10.1.2.3", "web-0", "example.com",
		"my-svc.my-ns.svc.cluster.local", "fe80::1", "[2001:db8::1]", "-", "a_b", "[", "]", "127.0.0.1.", "::1.", "ip6-localhost", "*", "999.0.0.1", "1.2.3",
		"[::127.0.0.1]", "[0::]", "[::0]", "0.0.0.0.", "[::ffff:7f00:1]", ".", "localhost.localdomain", "[::1", "::1]", "user@localhost", "user:pw@localhost")
}

func (g generator) address() string {
	address := g.host() + ":" + g.port()
	switch g.IntN(12) {
	case 0, 1, 2:
		address = g.one("dns:", "dns:///", "passthrough:", "passthrough:///", "dns://", "dns:/", "passthrough://", "passthrough:/", "unix:", "unix://", "unix:///",
			"unix-abstract:", "unix-abstract:///", "ipv4:", "ipv6:", "ipv4:///", "http://", "https://", "grpc://", "tcp://", "tcp:", "xds:///", "DNS:///", "Dns:",
			"PASSTHROUGH:", "Unix:", "HTTP://", "IPV4:", "dns:////", "dns:///dns:///", "passthrough:///unix:", "passthrough:///unix:///", "dns://1.2.3.4/",
			"unix:@", "vsock:", "file:///", "//", "/", ":", "google-c2p:///", "dns:///passthrough:", "passthrough:passthrough:", "passthrough:///dns:///") + address
	case 3:
		address = g.one(g.host(), g.port(), "", ":", "::", ":::50051", "/run/x.sock", "unix:/run/x.sock", "dns:///localhost", "dns:localhost", "dns:///", "dns:",
			"dns:///:", "dns:///127.0.0.1", "dns:///::1", "dns:///[::1]", "dns:::1", "dns:///[::]", "passthrough:///", "passthrough:", "unix:", "unix:///",
			"unix-abstract:", "unix-abstract:x", "unix://host/path", "unix://x", "unix:x", "unix:x?y", "dns:///0.0.0.0", "dns:///::", "dns:///:443", "dns:///localhost:")
	case 4:
		address += g.one("/", "/path", "?x", "#x", "/?x=y", "#", "?", "%20", " ", ":1", ":", ":http")
	}
	for g.in(6) {
		address = g.mutate(address, hostile...)
	}
	return address
}

package healthprobe

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"mvdan.cc/sh/v3/syntax"

	"github.com/probeshift/probeshift/pkg/reason"
)

// FuzzRead reads arbitrary commands. Words are separated by newlines, env is
// written as NAME=VALUE lines.
func FuzzRead(f *testing.F) {
	for _, command := range []string{
		"grpc_health_probe\n-addr=:9000",
		"/bin/grpc_health_probe\n-addr\n:$(PORT)\n-rpc-timeout=5s",
		"sh\n-c\nexec grpc_health_probe -addr=$POD:9000 || exit 1",
		"bash\n-euc\nset -o pipefail; timeout 5 grpc_health_probe -addr=:${PORT:-1} &>/dev/null",
		"timeout\n-k\n1\n5s\nenv\nA=b\nbusybox\nsh\n-c\ngrpc_health_probe '-addr=[::1]:http'",
		"grpc_health_probe\n-addr=dns:///localhost\n-tls\n-tls-no-verify",
	} {
		f.Add(command, "PORT=9000\nA=$(PORT)\nHTTPS_PROXY=")
	}
	f.Add("sh\n-c\nsh -c \"$A\" # grpc_health_probe", "A=sh -c \"$A\" # grpc_health_probe")
	f.Fuzz(func(t *testing.T, command, env string) {
		words := strings.Split(command, "\n")
		container := Container{Env: []corev1.EnvVar{field("POD", "status.podIP")}}
		for line := range strings.SplitSeq(env, "\n") {
			name, value, _ := strings.Cut(line, "=")
			container.Env = append(container.Env, literal(name, value))
		}
		got := Reader{}.Read(words, container)
		checkReading(t, got)
		if !got.Ours || got.Reason == reason.CommandTooLong {
			return
		}
		// Wrappers that do nothing change nothing, unless they take the program's
		// name for a word of their own.
		for _, wrapper := range []string{"env", "timeout 0"} {
			wrapped := Reader{}.Read(append(strings.Fields(wrapper), words...), container)
			ownWord := words[0] == "" || strings.ContainsAny(words[0], "-=$")
			if wrapped != got && wrapped.Reason != reason.CommandTooLong && got.Reason != reason.UnknownWrapper && !ownWord {
				t.Errorf("behind %s: %+v, alone: %+v", wrapper, wrapped, got)
			}
		}
		// So does a shell around quoted words, where its limits allow.
		if script, ok := quote(words); ok && !strings.Contains(command, "$") {
			wrapped := Reader{}.Read([]string{"sh", "-c", script}, container)
			if got.Reason == reason.None && wrapped != got && wrapped.Reason != reason.CommandTooLong && !newEnviron(container).bendsShell() {
				t.Errorf("script %q: %+v, alone: %+v", script, wrapped, got)
			}
		}
	})
}

// quote joins words for a POSIX shell.
func quote(words []string) (string, bool) {
	var quoted []string
	for _, word := range words {
		q, err := syntax.Quote(word, syntax.LangPOSIX)
		if err != nil || strings.ContainsAny(q, "*?[]~{}") && !strings.HasPrefix(q, "'") {
			return "", false
		}
		quoted = append(quoted, q)
	}
	return strings.Join(quoted, " "), true
}

// checkReading checks what holds of every reading.
func checkReading(t *testing.T, got Reading) {
	t.Helper()
	switch {
	case !got.Ours:
		if got != notOurs {
			t.Errorf("a command that is not ours says more: %+v", got)
		}
	case got.Reason == reason.None:
		if got.Check.Port < 1 || got.Check.Port > 65535 || got.Check.Budget <= 0 || got.Detail != "" || strings.ContainsAny(got.Check.Service, marks) {
			t.Errorf("not a check: %+v", got)
		}
	default:
		if got.Check != (Check{}) || got.Reason.Sentence() == "" || strings.ContainsFunc(got.Detail, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("not a reason: %+v", got)
		}
	}
}

package healthprobe

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"mvdan.cc/sh/v3/expand"
)

/*
A shell sees the container's environment as the kubelet makes it
(makeEnvironmentVariables in k8s.io/kubernetes pkg/kubelet/kubelet_pods.go): in
the order of the list, a literal value with its $(VAR) references replaced by
what has been declared before it, and valueFrom resolved. Beside the list the
image, envFrom and service links define variables that no manifest shows.

Two values are not known before the Pod runs, yet mean something: this Pod's IP
(fieldRef status.podIP, or status.hostIP with the host's network) and its host
name (HOSTNAME). They are carried through the shell as a mark, and so is
whatever is not known at all. A mark has no blanks, so it stays one word.
*/

const (
	// markPodIP stands for the primary IP of this Pod.
	markPodIP = "\uE000"
	// markHostname stands for the host name of this Pod, which its /etc/hosts
	// resolves to its primary IP, unless the image defines HOSTNAME.
	markHostname = "\uE001"
	// markUnknown stands for a value that the manifest does not hold.
	markUnknown = "\uE002"

	marks = markPodIP + markHostname + markUnknown
)

// unreadable says whether a text cannot be read: it has a NUL, which no
// process can be given, or one of our marks.
func unreadable(s string) bool { return strings.ContainsAny(s, "\x00"+marks) }

// environ is the environment of a container as a shell in it sees it.
type environ map[string]string

// newEnviron builds the environment of a container.
func newEnviron(c Container) environ {
	env := make(environ, len(c.Env)+1)
	if !c.HostNetwork && !c.HostnameOverridden {
		env["HOSTNAME"] = markHostname
	}
	declared := make(environ, len(c.Env))
	for _, v := range c.Env {
		declared[v.Name] = declared.value(v, c.HostNetwork)
		env[v.Name] = declared[v.Name]
	}
	return env
}

// value is what a variable holds, given the variables declared before it.
func (e environ) value(v corev1.EnvVar, hostNetwork bool) string {
	switch {
	case v.Value == "" && v.ValueFrom == nil:
		return ""
	case v.Value == "":
		return fieldValue(v.ValueFrom.FieldRef, hostNetwork)
	case unreadable(v.Value):
		return markUnknown
	}
	value := expandReferences(v.Value, func(name string) string {
		if known, ok := e[name]; ok {
			return known
		}
		return markUnknown
	}, maxCommand)
	if len(value) > maxCommand {
		return markUnknown
	}
	return value
}

// fieldValue is what a fieldRef resolves to; nil stands for a reference to a
// config map, secret or resource.
func fieldValue(field *corev1.ObjectFieldSelector, hostNetwork bool) string {
	switch {
	case field == nil:
		return markUnknown
	case field.FieldPath == "status.podIP", hostNetwork && field.FieldPath == "status.hostIP":
		return markPodIP
	}
	return markUnknown
}

// with returns the environment with NAME=VALUE words added, as env adds them.
func (e environ) with(assignments []string) environ {
	added := make(environ, len(e)+len(assignments))
	maps.Copy(added, e)
	for _, assignment := range assignments {
		name, value, _ := strings.Cut(assignment, "=")
		added[name] = value
	}
	return added
}

// lookup is the value of $name in a shell, where markUnknown stands for
// everything that the manifest does not tell.
func (e environ) lookup(name string) string {
	if value, ok := e[name]; ok && !shellOwns(name) {
		return value
	}
	return markUnknown
}

// Get implements expand.Environ.
func (e environ) Get(name string) expand.Variable {
	if name == "IFS" { // Every shell sets its own at its start.
		return expand.Variable{}
	}
	return expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: e.lookup(name)}
}

// Each implements expand.Environ; no expansion that is let through needs it.
func (e environ) Each(func(string, expand.Variable) bool) {}

// shellVariables are set by a shell itself, whatever its environment holds.
var shellVariables = []string{
	"_", "COMP_CWORD", "COPROC", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS", "HISTCMD",
	"IFS", "LINENO", "MAPFILE", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PIPESTATUS", "PPID", "PS1", "PS2", "PS4", "PWD",
	"RANDOM", "READLINE_LINE", "REPLY", "SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "UID",
}

func shellOwns(name string) bool {
	return strings.HasPrefix(name, "BASH") || slices.Contains(shellVariables, name)
}

// shellBending are variables that make a shell run more than its script, change
// its options, or end it before it runs anything: a file that bash reads first,
// a pattern of programs that it does not find, a trace prompt with
// substitutions, an option index that is no number (dash).
var shellBending = []string{"BASH_ENV", "BASHOPTS", "EXECIGNORE", "OPTIND", "POSIXLY_CORRECT", "PS4", "SHELLOPTS"}

// bendsShell says whether the environment changes what a shell does with its
// script; bash's exported functions do so too.
func (e environ) bendsShell() bool {
	for name := range e {
		if slices.Contains(shellBending, name) || strings.HasPrefix(name, "BASH_FUNC_") {
			return true
		}
	}
	return false
}

// proxied says whether grpc-go may reach a host that is not loopback through a
// proxy: HTTPS_PROXY or https_proxy is set (net/http.ProxyFromEnvironment).
func (e environ) proxied() bool { return e["HTTPS_PROXY"] != "" || e["https_proxy"] != "" }

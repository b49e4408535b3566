package conformance

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
)

// script is a command with a shell in it.
type script struct {
	// Shell are the words before the script, the last of them the flags.
	Shell []string
	Text  string
	Env   []corev1.EnvVar
	// Pod is what the Pod around it is like.
	Pod pod
}

func (s script) command() []string { return append(slices.Clone(s.Shell), s.Text) }

func (s script) read() healthprobe.Reading { return s.Pod.read(s.command(), s.Env) }

// realEnv is the env list that the kubelet gets.
func (s script) realEnv() []corev1.EnvVar {
	if !s.Pod.Template {
		return s.Env
	}
	return append(slices.Clone(s.Env), corev1.EnvVar{Name: "NONE", Value: "50054"})
}

// script makes a command with a shell: mostly forms that reduce to one run of
// the tool, and near misses of them.
func (g generator) script() script {
	var s script
	if g.in(8) {
		s.Shell = append(s.Shell, [][]string{{"timeout", "9"}, {"env", "X=8080"}, {"/usr/bin/env", "P=9090", "timeout", "-s", "KILL", "9s"}}[g.IntN(3)]...)
	}
	s.Shell = append(s.Shell, [][]string{{"sh"}, {"sh"}, {"/bin/sh"}, {"bash"}, {"/bin/bash"}, {"dash"}, {"ash"}, {"busybox", "sh"}}[g.IntN(8)]...)
	s.Shell = append(s.Shell, [][]string{{"-c"}, {"-c"}, {"-c"}, {"-ec"}, {"-euxc"}, {"-e", "-c"}, {"-c", "-e"}, {"-xc"}, {"-u", "-c"}, {"-cx"}}[g.IntN(10)]...)
	s.Env = g.shellEnv()
	s.Pod = pod{IPv6: g.in(6), HostNetwork: g.in(6), Template: g.in(6)}
	if g.in(4) {
		s.Text = g.mutate(g.one(plainScripts...), shellPieces...)
	} else {
		s.Text = g.scriptText()
	}
	for g.in(4) {
		s.Text = g.mutate(s.Text, shellPieces...)
	}
	if g.in(20) { // a script in a script
		s.Text = g.one("sh", "exec bash", "timeout 9 sh", "busybox sh") + " -c " + g.quote(s.Text)
	}
	return s
}

// plainScripts are such as people write.
var plainScripts = []string{
	"grpc_health_probe -addr=:50051",
	"grpc_health_probe -addr=localhost:$P -service=$X",
	"exec grpc_health_probe -addr=${IP}:50051 -connect-timeout 250ms -rpc-timeout=5s",
	"set -e; grpc_health_probe -addr=:${P:-50051} >/dev/null 2>&1 || exit 1",
	"set -eu\nexec grpc_health_probe \\\n  -addr=\"$IP:50051\" \\\n  -service=\"$X\"\n",
	"grpc_health_probe -service '' -addr \"$ADDR\" 2>&1 || false",
	"timeout 9 grpc_health_probe $FLAGS -addr $HOSTNAME:50051 1>&2 || return 3",
	"# health\ngrpc_health_probe '-addr=:50051' \"-service=${X:-d}\" # check\n",
}

// either takes one of the first choices, and now and then one of the others.
func (g generator) either(right, odd []string) string {
	if g.in(14) {
		return g.one(odd...)
	}
	return g.one(right...)
}

func (g generator) scriptText() string {
	text := ""
	if g.in(3) {
		text += g.either(setForms, oddSetForms)
	}
	if g.in(3) {
		text += g.either(
			[]string{"exec ", "exec  ", "exec\t", "\"exec\" ", "\\exec ", ">/dev/null ", "2>&1 ", "2>/dev/null exec ", "$EMPTY ", "timeout 9 ", "exec timeout 9s ", "env A=B ", "exec env A=B timeout 9 ", "\n", "\\\n", "\t", "# c\n"},
			[]string{"exec " + "exec ", "exec -- ", "exec -a x ", "command ", "! ", "time ", "A=B ", "timeout 9 exec ", "nohup ", "{ ", "( ", "if ", "eval ", "builtin ", "\r\n", "exec -c "})
	}
	text += g.one("grpc_health_probe", "grpc_health_probe", "'grpc_health_probe'", "grpc_health\"_probe\"", "\\grpc_health_probe", "$TOOL", "${TOOL}", "\"$TOOL\"", "${UNDEF:-grpc_health_probe}", "${EMPTY:-grpc_health_probe}")
	for range g.IntN(4) {
		text += g.blank() + g.shellFlag()
	}
	text += g.blank() + g.one("-addr=", "-addr ", "--addr=", "-'addr'=", "\"-addr=\"") + g.shellAddress()
	if g.in(3) {
		text += g.blank() + g.shellFlag()
	}
	if g.in(2) {
		text += g.either(redirections, oddRedirections)
	}
	if g.in(2) {
		text += g.either(endings, oddEndings)
	}
	return text
}

var (
	setForms    = []string{"set -e; ", "set -eu\n", "set -ex\n", "set -x;", "set -e -u\n\n", "set -e\nset -u\n", "#!/bin/sh\n", "# a comment\n", "set -ee;", "set -e \\\n\n", "set -ue -x ;"}
	oddSetForms = []string{"set -o pipefail; ", "set -euo pipefail\n", "set -eo pipefail -u\n", "set +e;", "set -- a b;", "set -e -- ;", "set -;", "set -a;", "set -f;", "set -n;", "set -C\n", "set -e & ", "set -e && ", "(set -e); ",
		"set -oe pipefail\n", "set -e#;", "set \"-e\";", "set -e >/dev/null;", "set e;", "set -E;", "set -o errexit;", "set -uo pipefail;", "set -o pipefail -e;", "set -x -o pipefail\n", "set -eu -o pipefail;", "set -euxo pipefail;exec "}

	redirections    = []string{" >/dev/null", " 2>&1", " >/dev/null 2>&1", " 2>/dev/null", " >&2", " 1>&2", " >/dev/null 2>/dev/null", " >>/dev/null", " 2>&1 >/dev/null", " 3>&1", " 2>& 1", " >&1 1>&1", " 0>&1", " >& 2"}
	oddRedirections = []string{" &>/dev/null", " >& /dev/null", " >&-", " </dev/null", " >|/dev/null", " 10>/dev/null", " >\"/dev/null\"", " 2>&3", " 2> &1", " 2 >&1", " &>>/dev/null", " >out", " >/dev/null2", " >$NONE", " <&-", " 2>&1-", " >/dev/null/", " 2>&12", " >&1>&2", " >/dev/nul\\\nl",
		" 9>&2", " 2>/dev/null>&1", " >/dev/null&", " 2>&1&1", " >&2x", " {fd}>/dev/null", " <>/dev/null", " >/dev/./null", " 4>&3"}

	endings = []string{" || exit 1", "||exit 2", " || exit 255", " || return 1", " || false", "\n", ";", " ;\n", " || exit 1 ", " || \n exit 1", " # comment", " || exit 1 # comment", " ||exit 1\n\n", " ; # x", " || # x\nexit 1", " \\\n || exit 1", " ||\texit\t1", " || return 255", " || exit 3;"}

	oddEndings = []string{" || exit 256", " || exit 0", " || exit 01", " || exit -1", " || exit", " || exit $?", " || true", " && true", " && exit 0", " | cat", " &", "; exit $?", "; exit 0", "\nexit 1", " || exit 1; ", " || exit 1;true", " || { exit 1; }", " || (exit 1)",
		" || exit 1 || exit 0", " || exit 1 && exit 0", " || exit 1 &", " || exit 1 >/dev/null", " || return 256", " || return 257", " || ! true", " || false || exit 3", " && false || exit 1", "# comment", " || exit 1#", " || exit 1000", " || exit 1 2", " || exit '1'", " || exit 1x",
		" || exit +1", " || exit 0x1", " || exit 4294967296", " || false 0", "\r\n", "\r", " || exit 1\r\n", " || exit 1\r", " |& cat", " || kill 1", " || FALSE", " }", " )", " &&", " ||", "; then", " || exit 9223372036854775808", " || return 300", " || return -1", " || exit \\1",
		" || exec false", " ||\\\n exit 1", " |\\\n| exit 1", " || exit 1\v", " || exit\u00a01"}
)

func (g generator) blank() string {
	if g.in(8) {
		return g.either([]string{"  ", "\t", " \\\n", " $EMPTY ", " ${EMPTY} ", " ${EMPTY:-} ", "\\\n "}, []string{"\u00a0", "\v", "\f", " \r", "\r\n", "\u2003"})
	}
	return " "
}

// shellFlag writes a flag of the tool as a shell's words.
func (g generator) shellFlag() string {
	switch g.IntN(8) {
	case 0:
		return g.one("-connect-timeout", "-rpc-timeout") + g.one("=", " ") + g.either([]string{"5s", "'3s'", "250ms", "\"1m\"", "${D:-2s}"}, []string{"$NONE", "3", "$B"})
	case 1:
		return g.either([]string{"-v", "-tls -tls-no-verify", "-gzip=false", "-v=$T", "$FLAGS", "$EMPTY", "$ARGS"}, []string{"-tls", "\"$FLAGS\"", "\"\"", "\"$EMPTY\"", "-h", "-version", "''", "\"$@\"", "$*", "$1", "${@}", "$#"})
	}
	return "-service" + g.one("=", "=", " ") + g.shellWord()
}

// shellWord writes a word with quotes and expansions.
func (g generator) shellWord() string {
	word := ""
	for range 1 + g.IntN(3) {
		word += g.either(wordParts, oddWordParts)
	}
	return word
}

var (
	wordParts = []string{"a", "svc", "my.pkg.Service", "'a b'", "\"a b\"", "a\\ b", "$X", "${X}", "\"$X\"", "\"${X}\"", "${X:-d}", "\"${X:-d}\"", "${UNDEF:-d}", "${EMPTY:-d}", "$EMPTY", "\"$EMPTY\"", "\"$B\"", "\"$G\"", "\"$Q\"", "$Q", "\"$N\"", "\"\\a\"", "\"\\\\\"", "\"\\$X\"", "'$X'", "\\$X",
		"\"\\\"\"", "'\\'", "a'b'\"c\"d", "a\"\"b", "''", "'*'", "\"*\"", "\\*", "'{a,b}'", "a#b", "\\#", "%", "^", "@", "é", "\u00a0", "\\é", "${X:-}", "$X-y", "$X.y", "$X_y", "$Xé", "${X}é", "$S", "\"$S\"", "$LB", "a$LB", "$EQ", "$HASH", "\"$NL\"", "\"$BS\"", "$\\\nX", "${\\\nX}", "a\\\nb", "\"a\\\nb\"",
		"'a\\\nb'", "\"!\"", "!", "\"\\`\"", "\"\\!\"", "\"~\"", "$CHAIN", "\"'\"", "'\"'", "$TILDE", "$X$X", "\"$B\"$X", "$UNICODE", "\"$UNICODE\"", "$MB", "${D:-x}", "\"$TAB\"", "$CR", "\"a\nb\"", "'a\nb'", "\"\\\n\"", "\"\t\"", "${EMPTY:-a=b@c/d}", "\"${EMPTY:-a+b}\"", "\\\\", "\"$X$EMPTY\""}
	oddWordParts = []string{"${UNDEF}", "\"${NONE:-a b}\"", "${NONE:-a b}", "${EMPTY-d}", "$B", "x${B}y", "$G", "$TAB", "$N", "$$", "$", "\"$\"", "$'a'", "$\"a\"", "$'\\x41'", "~", "a~", "=~", "*", "?", "[a]", "{a,b}", "{}", "\\{a,b\\}", "+(a)", "?(a)", "@(a)", "!(a)", "<(true)", "$(true)", "`true`", "$((1))", "$[1]", "${#X}", "${X%a}",
		"${X:0:1}", "${X/a/b}", "${!X}", "${X^}", "${X:+d}", "${X:?}", "${X:=d}", "${X-}", "${X:-$NONE}", "${X:-'d'}", "${NONE:-a\\ b}", "${NONE:-~}", "${NONE:-*}", "${NONE:-\"d\"}", "${X:-d}e", "$1", "$HOME", "$PWD", "$UID", "$RANDOM", "$HOSTNAME", "$PPID", "$PATH", "$IFS", "$OPTIND", "$OLDPWD", "$PS4", "$LINENO", "$SHLVL", "$_", "$-", "$0", "${0}",
		"$HIDDEN", "${HIDDEN:-d}", "$NL", "$BS", "$\\X", "\"`true`\"", "a=~", "a:~", "$CHAINB", "\"$IP\"", "$IP", "$CM", "${CM:-d}", "\\", "$B$B", "$N$B", "\"$B\"$B", "$B\"$B\"", "a$B", "${B}a", "\"${X:-a\\$b}\"", "${NONE:-a}${NONE:-b}", "$,", "$/x", "$:", "\"$.\"", "$%", "$=", "$$X", "\"$\"X", "$\"X\"", "$''", "${X:-d", "$X}", "$EUID", "$BASH_VERSION", "$GROUPS", "$HOSTTYPE", "$SHELL", "$TERM", "$OPTARG", "$OPTERR", "$COLUMNS", "$COMP_WORDBREAKS", "$MACHTYPE"}

	ports    = []string{"50051", "$P", "${P}", "\"$P\"", "${P:-9090}", "${UNDEF:-9090}", "'50051'", "\"50051\"", "5005\"1\"", "$P$EMPTY", "${EMPTY:-50051}", "\"${EMPTY:-9090}\"", "50051\\\n", "$CHAIN", "$(P)"}
	oddPorts = []string{"${P:-$NONE}", "$HIDDEN", "${HIDDEN:-50051}", "$CM", "$$(P)", "50051$(NONE)", "$NONE", "$P1", "$EMPTY", "$((50051))", "$(echo 50051)", "`echo 1`", "${P#x}", "$B"}
	hosts    = []string{"localhost:50051", "$IP:50051", "${IP}:$P", "\"$IP\":50051", "$HOSTNAME:50051", "${HOSTNAME}:$P", "\"[::1]:50051\"", "'[::]:8080'", "$ADDR", "\"$ADDR\"", "${ADDR:-:50051}", "127.0.0.1:$P", "\"[$IP]:50051\"", "dns:///$IP:50051", "dns:///$HOSTNAME:50051", "passthrough:///localhost:1", "\"[${IP}]\":50051",
		"$IPADDR", "\"$IPADDR\"", "${IP:-localhost}:50051", "${HOSTNAME:-x}:50051", "dns:$IP", "dns:///$IP"}
	oddHosts = []string{"$HOSTIP:1", "[$IP]:50051", "[::1]:50051", "$IP$P", "$IP.:50051", "x$IP:50051", "\"[$HOSTNAME]:50051\"", "$HOSTNAME.:50051", "$HOSTNAME.local:50051", "$IP", "$IP:$IP", "dns:[$IP]", "\"dns:[$IP]\"", "dns:$HOSTNAME", "${NONE:-localhost:50051}", "dns://$IP:1", "dns:////$IP:1", "dns:/$IP:1", "passthrough://$IP/$IP:1", "$IP:50051/",
		"passthrough:$HOSTNAME:1", "$IP%lo:1", "dns:///$IP:", "$IP:0"}
)

func (g generator) shellAddress() string {
	if g.in(2) {
		return ":" + g.either(ports, oddPorts)
	}
	return g.either(hosts, oddHosts)
}

// quote puts a text into single quotes.
func (g generator) quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var shellPieces = append(strings.Split("'|\"|\\|\\\n|$|`|{|}|(|)|<|>|&|;|#|!|~|*|?|[|]|^|%|=|\n|\t|\r|\r\n| |  |\v|\f|\u00a0|\u0085|\u2028|\ufeff|é|-|+|:|/|.|,|@|0|1|a|$X|${X}|$B|$NONE|$EMPTY|$G|''|\"\"|$(|$((|&&|>&|2>|;;|<<|<<<|&>|$'|$\"|\\\\|\\'|\\\"|\\$|\\ |-e|if|exec|do|{ | }|;}|\x01|\x7f|=(|+=|a=|[[|]]|function|coproc|time|case|select|x()|$$|$!|$?|$_|${", "|"), "|", "||", "\\|", "|&", ">|")

// shellEnv makes the variables that scripts refer to, as the container's list.
func (g generator) shellEnv() []corev1.EnvVar {
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	all := []corev1.EnvVar{
		{Name: "TOOL", Value: "grpc_health_probe"},
		{Name: "X", Value: g.one("x", "my.pkg.Service", "8080", "a-b")},
		{Name: "P", Value: g.one("50051", "9090", "9090", "")},
		{Name: "B", Value: g.one("a b", " a", "a ", " ", "  a  b  ", "a\tb", "a\nb", "-v -addr=:1")},
		{Name: "G", Value: g.one("*", "a*", "?", "[a-z]*", "-addr=*")},
		{Name: "Q", Value: g.one("'", "\"", "'a'", "\"a b\"", "`true`")},
		{Name: "TAB", Value: "\t"}, {Name: "NL", Value: "a\n"}, {Name: "BS", Value: g.one("\\", "a\\b", "\\\\", "\\a")}, {Name: "CR", Value: "a\r"},
		{Name: "N", Value: "\n"}, {Name: "S", Value: "$X"}, {Name: "LB", Value: "{a,b}"}, {Name: "EQ", Value: "="}, {Name: "HASH", Value: "#"}, {Name: "TILDE", Value: "~"},
		{Name: "UNICODE", Value: g.one("é", "\u00a0", "a\u00a0b", "\u2028", "💚")}, {Name: "MB", Value: "\u3000"},
		{Name: "EMPTY"}, {Name: "T", Value: "true"}, {Name: "D", Value: "3s"},
		{Name: "FLAGS", Value: g.one("-v", "-v -tls=false", "", "-service=a", "-service b")},
		{Name: "ARGS", Value: "-connect-timeout 2s -rpc-timeout=2s"},
		{Name: "ADDR", Value: g.one(":50051", "localhost:8080", "[::1]:50051", ":50051 ", "127.0.0.1:1")},
		{Name: "IP", ValueFrom: field("status.podIP")},
		{Name: "HOSTIP", ValueFrom: field("status.hostIP")},
		{Name: "CM", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{Key: "k"}}},
		{Name: "IPADDR", Value: "$(IP):50051"},
		{Name: "CHAIN", Value: "$(P)"}, {Name: "CHAINB", Value: "$(B)$(NONE)"},
	}
	if g.in(4) {
		g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:len(all)-g.IntN(6)]
	}
	if g.in(12) {
		all = append(all, corev1.EnvVar{Name: g.one("IFS", "OPTIND", "HOSTNAME", "PS4", "ENV", "BASH_ENV", "SHELLOPTS", "POSIXLY_CORRECT", "HOME", "PWD", "LC_ALL", "LANG", "PPID", "UID", "RANDOM", "P", "_", "BASH_FUNC_grpc_health_probe%%", "a.b", "EXECIGNORE", "GLOBIGNORE", "LINENO", "SHLVL", "OLDPWD", "CDPATH", "TMOUT", "BASH_COMPAT", "FUNCNEST", "BASHOPTS", "PS1", "OPTARG", "FPATH", "TERM", "MAIL", "HISTSIZE", "LC_CTYPE"),
			Value: g.one("a", "0", "1", ":", "x y", "$(exit 1)", "50051", "() { :; }", "", "noexec", "C.UTF-8", "posix", "*", "/", "abc")})
	}
	return all
}

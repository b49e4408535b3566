package conformance

import (
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// oddScripts are places where shells and parsers of shell scripts may part. T
// stands for one plain run of the tool.
var oddScripts = []string{
	"T\\\n#y", "T \\\n#y", "T #y\\\\\ntrue", "T #y\\\ntrue", "T '#' \\\n -v", "T;#x", "T;;", "T\t#x", "T>/dev/null#x", "T 2>&1#x", "T 2>&1 #x", "T ||#x\nexit 1", "T || exit 1;#x", "T\n#x\n#y", "T\n\n", "T;\n;", "T\v", "T\f", "T\u00a0#x", "T \\", "T -v\\", "T \\\n", "T \\\n\n", "T \\\n;", "T \\\ntrue",
	"set -e;\\\nT", "set -e\\\n;T", "ex\\\nec T", "T |\\\n| exit 1", "T ||\\\nexit 1", "T || ex\\\nit 1", "T || exit 1\\\n", "T || exit \\\n1", "T || exit 1\\\n2", "T || exit 25\\\n6", "T 2>\\\n&1", "T 2\\\n>&1", "T >\\\n/dev/null", "T 2>&\\\n1", "T >/dev/nu\\\nll",
	"T -service=a\\\n", "T -service=\\\na", "T \"-service=$\\\nX\"", "T -service=${X\\\n}", "T -service=${X\\\n:-d}", "T -service=${\\\nX:\\\n-d}", "T -service=${X:-d\\\n}", "T -service=\"${X:-\\\nd}\"", "T -service=${EMPTY:-\\\nd}", "T -service=${EMPTY:-d\\\ne}", "T -service='a\\\nb'", "T -service=\"a\\\nb\"", "T -service=\"\\\\\nb\"",
	"T -service=$X#y", "T -service=${X}#y", "T -service=''#y", "T -service=\"\"#y", "T ''#y", "T \"\"#y", "T $EMPTY#y", "T ${EMPTY}#y", "T ''#\\\ntrue", "T -service=a'#'b", "T -service=\\#", "T \\#", "T -service=a#",
	"$EX T", "\"$EX\" T", "${EX} T", "$EX $PROGRAM -addr=:50051", "$EX\tT", "$EMPTY exec T", "$EMPTY$EX T", "T$EMPTY", "T$EMPTY>/dev/null",
	"T -service=1>/dev/null", "T -service=a 1>/dev/null", "T -service=a1>/dev/null", "T -service 1>/dev/null", "T -service 1 >/dev/null", "T -service=\\1>/dev/null", "T -service \\1>/dev/null", "T -service ''1>/dev/null", "T -service $X>/dev/null", "T -service 2>&1", "T -service=2>&1", "T -service x2>&1", "T -service '2'>&1", "T -service 22>&1", "T -service 02>&1", "T 1>&2>/dev/null", "T 1>&2 2>&1", "T >/dev/null>&1", "T >/dev/null 2>&1>/dev/null", "T >>/dev/null>>/dev/null", "T 2>&1||exit 1", "T 2>&1;", "T >&2||false",
	"T || exit 1\t", "T || exit 1 ;", "T || exit 1;;", "T || false #", "T || false;true", "T || false\n:", "T || false\n#\n", "T || return 1\n", "T || \n\n\nfalse", "T\n|| false", "T ;|| false",
	"set -e\r\nT", "set -e;set -u;set -x;T", "set -e;;T", "set -e & T", "set -e\n\n;T", "set -e # x\nT", "set -e # x\\\nT", "#\\\nT\nT", "#\\\n\nT", "# \\\\\nT", "set -e\\\nu;T", "set \\\n-e;T", "'set' -e;T", "set -'e';T", "set - e;T", "set -e -;T", "set -eu -x;T", "set -ux;T -service=$X", "set;T",
	"exec >/dev/null T", "exec 2>&1 T", "exec T >/dev/null;", "exec T&", "exec T #", "exec\\\n T", "exec \\\nT", "exec ''T", "exec '' T", "exec $EMPTY T", "exec \"$EMPTY\" T",
	"T -service=\"$NL\"", "T -service=$NL", "T $NL", "T -service=\"$DD\"", "T -service=$DD", "T -service=$SH", "T -service $Q", "T -service=\"$Q\"", "T -service=$ARR", "T -service=a=(b)", "a=b T", "a=$X", "T a=b", "T a+=b", "T -service=a&", "T -service=a\\&", "T -service='&'", "T -service=a\\;b", "T -service=a\\|b", "T -service=a\\ ", "T -service=a\\\tb", "T -service=\\", "T -service=\"\\", "T -service='", "T -service=\"a\nb\"#",
	"T -service=a!b", "! T", "!T", "T !", "T -service=!", "T {", "T }", "T -service={", "T -service=a}b", "T (", "T )", "T -service=]", "T -service=]]", "T [[", "T -service=a]", "if T", "then T", "do T", "done", "fi", "esac", "T if", "T then", "T in", "T time", "time T", "T -service=time", "function T", "select T", "coproc T", "[ T ]", "[[ T ]]", "T <<<x", "T <<x\nx\n", "T <<x\n", "T <x", "T 0<&1", "T 3<>/dev/null",
	"T -service=$0", "T -service=\"$0\"", "T -service=$X$", "T -service=$X\\$", "T -service=\"$X\\$\"", "T -service=$X%", "T -service=%$X", "T -service=$X=", "T -service=^", "T \\-v", "T -\\v", "T \"-v\"", "T '-''v'", "T -v''", "'' T", "\"\" T", "$EMPTY T", "\"$EMPTY\" T", "${EMPTY:-$X} T", "${EMPTY:-exec} T", "${EMPTY:-set} -e;T",
	"\u3000T", "T\u3000", "T \u2003 -v", "T\x01", "T \x7f", "T -service=\x01", "T -service=\x7f", "T -service=\u0085", "T -service=a\u2028b", "T -service=\ufeff", "\ufeffT", "T -service=💚", "T -service=\"💚$X\"", "T -service=$Xé", "T -service=${X}é", "T -service=é$X", "T -service=$é", "T -service=$X\u00a0",
	"T -service=~", "T -service=a:~", "T ~", "T -service \\~", "T -service=$X~", "T a~b", "T -service '~'", "T --", "T -- -v", "T -", "T ''", "T '' -service=b", "T - -service=b",
}

var oddEnv = []corev1.EnvVar{
	{Name: "X", Value: "x"}, {Name: "EMPTY"}, {Name: "B", Value: "a b"}, {Name: "PROGRAM", Value: "grpc_health_probe"}, {Name: "EX", Value: "exec"}, {Name: "SH", Value: "a#b"},
	{Name: "Q", Value: "\"'"}, {Name: "NL", Value: "\n-service=q"}, {Name: "DD", Value: "$X `x` $(x) \\"}, {Name: "ARR", Value: "(a)"},
}

func TestEveryOddScriptRunsTheToolAsItIsRead(t *testing.T) {
	shells := newShells(t)
	row := count{what: "real shells, odd scripts"}
	for _, odd := range oddScripts {
		for _, shell := range [][]string{{"sh", "-c"}, {"bash", "-c"}, {"busybox", "sh", "-euc"}} {
			shells.compare(t, &row, script{Shell: shell, Text: oneRun(odd), Env: oddEnv})
		}
	}
	totals.add(row)
}

// oneRun writes the run of the tool in place of T, where T is no part of a name.
func oneRun(odd string) string {
	return standsForRun.ReplaceAllString(odd, "${1}grpc_health_probe -addr=:50051${2}")
}

var standsForRun = regexp.MustCompile(`(^|[^A-Za-z])T($|[^A-Za-z])`)

func TestEveryWrapperRunsTheToolAsItIsRead(t *testing.T) {
	shells := newShells(t)
	row := count{what: "real timeout and env"}
	wrappers := [][]string{
		{"env"}, {"env", "A=B"}, {"env", "A"}, {"env", "=B"}, {"env", "A=", "B=C"}, {"env", "A=B", "=C"}, {"env", "-i"}, {"env", "-"}, {"env", "--"}, {"env", "A=B", "--"}, {"env", "1=2"}, {"env", " A=B"},
		{"env", "A B=C"}, {"env", "é=1"}, {"env", "-u", "A"}, {"env", ""}, {"env", "", "A=B"}, {"env", "A=="}, {"env", "."}, {"env", "A=\n"}, {"env", "\n=B"}, {"env", "A=B", "timeout", "9"}, {"timeout", "9", "env", "A=B"},
	}
	for _, duration := range []string{"9", "9s", "0", "00", "0s", "09", "9.0", "9.", ".9", "1e1", "0x9", "inf", "9S", " 9", "+9", "-9", "9s ", "", "9ms", "99999999999999999999d", "9.99999999999999999999", "9,5", "1_0"} {
		wrappers = append(wrappers, []string{"timeout", duration})
		for _, option := range []string{"-k", "-s", "--preserve-status", "--foreground", "-v", "--verbose", "-sTERM", "-k5", "--kill-after=5", "--"} {
			wrappers = append(wrappers, []string{"timeout", option, duration})
			for _, value := range []string{"TERM", "INT", "KILL", "SIGTERM", "term", "9", "EXIT", "0", "5s", "x", ""} {
				wrappers = append(wrappers, []string{"timeout", option, value, duration})
			}
		}
	}
	for _, wrapper := range wrappers {
		shells.compare(t, &row, script{Shell: append(wrapper, "grpc_health_probe"), Text: "-addr=:50051"})
	}
	totals.add(row)
}

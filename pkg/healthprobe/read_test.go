package healthprobe

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// argv splits a command at blanks, for commands whose words have none.
func argv(command string) []string { return strings.Fields(command) }

// sh is a script in a POSIX shell, bash one in bash.
func sh(script string) []string   { return []string{"/bin/sh", "-c", script} }
func bash(script string) []string { return []string{"bash", "-c", script} }

// literal, field and secret are entries of an env list.
func literal(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }

func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}

func secret(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "key"}}}
}

// native is the reading of a command that can be native; skipped of one that
// can't; notOurs of everything else.
func native(host Host, port int32, service string, budget time.Duration) Reading {
	return Reading{Ours: true, Check: Check{Host: host, Port: port, Service: service, Budget: budget}}
}

func skipped(code reason.Code, detail string) Reading {
	return Reading{Ours: true, Reason: code, Detail: detail}
}

var notOurs = Reading{}

type readCase struct {
	command   []string
	container Container
	reader    Reader
	want      Reading
}

func run(t *testing.T, cases map[string]readCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.reader.Read(c.command, c.container)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Read(%q) (-want +got):\n%s", c.command, diff)
			}
		})
	}
}

// on9000 is what most commands here check.
var on9000 = native(HostLocal, 9000, "", 2*time.Second)

func TestRecognise(t *testing.T) {
	wrapped := skipped(reason.UnknownWrapper, "it is started through tini")
	run(t, map[string]readCase{
		"the tool by its name":                              {command: argv("grpc_health_probe -addr=:9000"), want: on9000},
		"the tool by its path":                              {command: argv("/bin/grpc_health_probe -addr=:9000"), want: on9000},
		"the name with dashes":                              {command: argv("./grpc-health-probe -addr=:9000"), want: on9000},
		"a platform suffix":                                 {command: argv("/app/grpc_health_probe-linux-amd64 -addr=:9000"), want: on9000},
		"an architecture behind an underscore":              {command: argv("grpc-health-probe_arm64 -addr=:9000"), want: on9000},
		"a version suffix":                                  {command: argv("grpc_health_probe-v0.4.40 -addr=:9000"), want: on9000},
		"version and platform":                              {command: argv("grpc_health_probe-0.4.40-linux-arm64 -addr=:9000"), want: on9000},
		"a name added by configuration":                     {command: argv("/opt/health -addr=:9000"), reader: Reader{ToolNames: []string{"health"}}, want: on9000},
		"a name that was not added":                         {command: argv("/opt/health -addr=:9000"), want: notOurs},
		"mixed dash and underscore":                         {command: argv("grpc_health-probe -addr=:9000"), want: notOurs},
		"another tool with a like name":                     {command: argv("grpc_health_probe_rs -addr=:9000"), want: notOurs},
		"the Windows binary":                                {command: argv("grpc_health_probe.exe -addr=:9000"), want: notOurs},
		"the tool's name as a directory":                    {command: argv("/opt/grpc_health_probe/run -addr=:9000"), want: notOurs},
		"no command":                                        {want: notOurs},
		"another command":                                   {command: argv("cat /tmp/healthy"), want: notOurs},
		"a shell script without the tool":                   {command: sh("curl -f localhost:8080/healthz"), want: notOurs},
		"a later word of a wrapper":                         {command: argv("tini -- /bin/grpc_health_probe -addr=:9000"), want: wrapped},
		"a word of a script that does not parse":            {command: sh("if grpc_health_probe -addr=:9000"), want: skipped(reason.ShellLogic, "the script does not parse")},
		"a script behind a wrapper":                         {command: append(argv("tini --"), sh("grpc_health_probe -addr=:9000")...), want: wrapped},
		"a name in a text that no shell reads":              {command: []string{"echo", "see grpc_health_probe for help"}, want: notOurs},
		"a name only in a variable of a script":             {command: sh("$PROBE -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("PROBE", "/bin/grpc_health_probe")}}, want: on9000},
		"a variable that names the tool, in another script": {command: sh("echo $PROBE"), container: Container{Env: []corev1.EnvVar{literal("PROBE", "/bin/grpc_health_probe")}}, want: notOurs},
		"a name through the kubelet's expansion":            {command: argv("$(PROBE) -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("PROBE", "/bin/grpc_health_probe")}}, want: on9000},
		"a command of 1,025 bytes":                          {command: append(argv("grpc_health_probe -addr=:9000"), strings.Repeat("x", 1025-17-11)), want: skipped(reason.CommandTooLong, "")},
		"a command of 1,024 bytes":                          {command: append(argv("grpc_health_probe -addr=:9000"), strings.Repeat("x", 1024-17-11)), want: on9000},
		"a long command that is not ours":                   {command: []string{"cat", strings.Repeat("x", 5000)}, want: notOurs},
		"a command that grows beyond 1,024 bytes": {command: argv("grpc_health_probe -addr=:9000 $(A)$(A)$(A)"),
			container: Container{Env: []corev1.EnvVar{literal("A", strings.Repeat("x", 500))}}, want: skipped(reason.CommandTooLong, "")},
		"a script whose variables grow beyond 1,024 bytes": {command: sh("grpc_health_probe -addr=:9000 $A$A$A"),
			container: Container{Env: []corev1.EnvVar{literal("A", strings.Repeat("x", 500))}}, want: skipped(reason.CommandTooLong, "")},
		"a word with a NUL":                             {command: []string{"grpc_health_probe", "-addr=:9000\x00"}, want: skipped(reason.UnknownWrapper, "a word has characters that cannot be read")},
		"a word with our mark":                          {command: []string{"grpc_health_probe", "-addr=" + markPodIP + ":9000"}, want: skipped(reason.UnknownWrapper, "a word has characters that cannot be read")},
		"a non-ASCII wrapper":                           {command: []string{"/bin/tíni", "grpc_health_probe"}, want: skipped(reason.UnknownWrapper, "it is started through t?ni")},
		"a script in a variable that starts itself":     {command: sh(`sh -c "$A" # grpc_health_probe`), container: Container{Env: []corev1.EnvVar{literal("A", `sh -c "$A" # grpc_health_probe`)}}, want: skipped(reason.ShellLogic, "it is started through too many programs")},
		"a script in variables that doubles each round": {command: sh(`sh -c "$P$Q$R" # grpc_health_probe`), container: Container{Env: []corev1.EnvVar{literal("P", `sh -c "$P`), literal("Q", "$Q$Q"), literal("R", `$R" # grpc_health_probe`)}}, want: skipped(reason.ShellLogic, "it is started through too many programs")},
		"a long variable named many times":              {command: sh("grpc_health_probe -addr=:9000" + strings.Repeat(" $A", 300)), container: Container{Env: []corev1.EnvVar{literal("A", strings.Repeat("a ", 500))}}, want: skipped(reason.CommandTooLong, "")},
		"a file name longer than there are":             {command: []string{"grpc_health_probe" + strings.Repeat("-386", 60), "-addr=:9000"}, want: notOurs},
		"an assignment that no shell reads":             {command: argv("TOKEN=/s3cr3t grpc_health_probe -addr=:9000"), want: skipped(reason.UnknownWrapper, "it is started through an assignment of TOKEN")},
		"a wrapper of long name":                        {command: []string{strings.Repeat("w", 50), "grpc_health_probe"}, want: skipped(reason.UnknownWrapper, "it is started through "+strings.Repeat("w", 40)+"...")},
	})
}

func TestKubeletExpansion(t *testing.T) {
	env := []corev1.EnvVar{
		literal("PORT", "9000"), literal("NESTED", ":$(PORT)"), literal("TWICE", "1"), literal("TWICE", "9000"),
		field("POD_IP", "status.podIP"), literal("EMPTY", ""), literal("DOLLAR", "$(PORT)"),
	}
	inEnv := func(command string, want Reading) readCase {
		return readCase{command: argv(command), container: Container{Env: env}, want: want}
	}
	run(t, map[string]readCase{
		"a reference":                                   inEnv("grpc_health_probe -addr=:$(PORT)", on9000),
		"the last entry of a name wins":                 inEnv("grpc_health_probe -addr=:$(TWICE)", on9000),
		"a valueFrom entry is empty":                    inEnv("grpc_health_probe -addr=$(POD_IP):9000", on9000),
		"an empty entry is empty":                       inEnv("grpc_health_probe -addr=$(EMPTY):9000", on9000),
		"an undefined name stays literal":               inEnv("grpc_health_probe -addr=:$(NOPE)", skipped(reason.UnusualAddress, "the address is not host:port")),
		"an escaped reference stays literal":            inEnv("grpc_health_probe -addr=:9000 -service=$$(PORT)", native(HostLocal, 9000, "$(PORT)", 2*time.Second)),
		"a value is not expanded a second time":         inEnv("grpc_health_probe -addr=:9000 -service=$(DOLLAR)", native(HostLocal, 9000, "$(PORT)", 2*time.Second)),
		"a double dollar is one":                        inEnv("grpc_health_probe -addr=:9000 -service=a$$b", native(HostLocal, 9000, "a$b", 2*time.Second)),
		"a dollar before another character stays":       inEnv("grpc_health_probe -addr=:9000 -service=$x$", native(HostLocal, 9000, "$x$", 2*time.Second)),
		"an open reference stays":                       inEnv("grpc_health_probe -addr=:9000 -service=$(PORT", native(HostLocal, 9000, "$(PORT", 2*time.Second)),
		"a reference inside of an open one is expanded": inEnv("grpc_health_probe -addr=:9000 -service=$(A$(PORT)", native(HostLocal, 9000, "$(A$(PORT)", 2*time.Second)),
		"in a template an undefined name is unknown": {command: argv("grpc_health_probe -addr=:$(PORT)"), container: Container{Template: true},
			want: skipped(reason.UnresolvedVariable, "variable PORT")},
		"in a template a defined name is known": {command: argv("grpc_health_probe -addr=:$(PORT)"), container: Container{Template: true, Env: env}, want: on9000},
		"in a template a reference in a script is unknown too": {command: sh("grpc_health_probe -addr=:$(PORT)"), container: Container{Template: true},
			want: skipped(reason.UnresolvedVariable, "variable PORT")},
		"in a Pod an undefined reference in a script is a substitution": {command: sh("grpc_health_probe -addr=:$(PORT)"),
			want: skipped(reason.ShellLogic, "the script uses substitutions")},
	})
}

func TestWrappers(t *testing.T) {
	noTimeout := skipped(reason.UnknownWrapper, "timeout is used in a form that is not looked through")
	noEnv := skipped(reason.UnknownWrapper, "env is used with options, or without a command")
	within := func(budget time.Duration) Reading { return native(HostLocal, 9000, "", budget) }
	run(t, map[string]readCase{
		"timeout in seconds":                         {command: argv("timeout 1 grpc_health_probe -addr=:9000"), want: within(time.Second)},
		"timeout longer than the tool":               {command: argv("/usr/bin/timeout 10s grpc_health_probe -addr=:9000"), want: on9000},
		"timeout in minutes":                         {command: argv("timeout 1m grpc_health_probe -addr=:9000 -connect-timeout=5m"), want: within(time.Minute)},
		"timeout in hours":                           {command: argv("timeout 1h grpc_health_probe -addr=:9000 -connect-timeout=5h"), want: within(time.Hour)},
		"timeout in days":                            {command: argv("timeout 1d grpc_health_probe -addr=:9000 -connect-timeout=50h"), want: within(24 * time.Hour)},
		"timeout of a fraction":                      {command: argv("timeout 0.5 grpc_health_probe -addr=:9000"), want: within(500 * time.Millisecond)},
		"timeout 0 is none":                          {command: argv("timeout 0 grpc_health_probe -addr=:9000"), want: on9000},
		"timeout too short for a nanosecond":         {command: argv("timeout 0.00000000001 grpc_health_probe -addr=:9000"), want: within(1)},
		"timeout too long for a duration":            {command: argv("timeout 99999999999999999999d grpc_health_probe -addr=:9000"), want: on9000},
		"timeout of 400 digits":                      {command: []string{"timeout", strings.Repeat("9", 400), "grpc_health_probe", "-addr=:9000"}, want: on9000},
		"the smallest of several timeouts":           {command: argv("timeout 3 timeout 1.5 timeout 2 grpc_health_probe -addr=:9000"), want: within(1500 * time.Millisecond)},
		"timeout with all its accepted options":      {command: argv("timeout -k 5s -s KILL --preserve-status --foreground 1 grpc_health_probe -addr=:9000"), want: within(time.Second)},
		"timeout -s INT":                             {command: argv("timeout -s INT 1 grpc_health_probe -addr=:9000"), want: within(time.Second)},
		"timeout with another signal":                {command: argv("timeout -s HUP 1 grpc_health_probe -addr=:9000"), want: noTimeout},
		"timeout with busybox's old -t":              {command: argv("timeout -t 5 grpc_health_probe -addr=:9000"), want: noTimeout},
		"timeout with a bad -k":                      {command: argv("timeout -k x 1 grpc_health_probe -addr=:9000"), want: noTimeout},
		"timeout with -k at the end":                 {command: []string{"timeout", "-k"}, want: notOurs},
		"timeout that ends behind -k":                {command: sh("timeout -k # grpc_health_probe"), want: skipped(reason.ShellLogic, "timeout is used in a form that is not looked through")},
		"timeout with -k and only the tool":          {command: argv("timeout grpc_health_probe -k"), want: noTimeout},
		"timeout that ends with an option":           {command: argv("timeout --foreground -s grpc_health_probe"), want: noTimeout},
		"timeout with its option at the end":         {command: argv("timeout -s INT -k"), want: notOurs},
		"timeout with a long option of GNU":          {command: argv("timeout --kill-after=5 1 grpc_health_probe -addr=:9000"), want: noTimeout},
		"timeout with an unknown unit":               {command: argv("timeout 5w grpc_health_probe -addr=:9000"), want: noTimeout},
		"timeout without a duration":                 {command: argv("timeout grpc_health_probe"), want: noTimeout},
		"env with assignments":                       {command: argv("env A=B C= grpc_health_probe -addr=:9000"), want: on9000},
		"env without assignments":                    {command: argv("/usr/bin/env grpc_health_probe -addr=:9000"), want: on9000},
		"env -i":                                     {command: argv("env -i grpc_health_probe -addr=:9000"), want: noEnv},
		"env that only prints":                       {command: argv("env A=B X=/grpc_health_probe"), want: noEnv},
		"env with an assignment without a name":      {command: argv("env =x grpc_health_probe -addr=:9000"), want: noEnv},
		"env with an empty word":                     {command: []string{"env", "", "grpc_health_probe"}, want: noEnv},
		"timeout and env and a shell":                {command: append(argv("timeout 1 env A=B"), sh("exec grpc_health_probe -addr=:9000")...), want: within(time.Second)},
		"env sets a variable for a shell":            {command: append(argv("env PORT=9000"), sh("grpc_health_probe -addr=:$PORT")...), want: on9000},
		"env overrides the container's env":          {command: append(argv("env PORT=9000"), sh("grpc_health_probe -addr=:$PORT")...), container: Container{Env: []corev1.EnvVar{literal("PORT", "1")}}, want: on9000},
		"exec outside of a shell":                    {command: argv("exec grpc_health_probe -addr=:9000"), want: skipped(reason.UnknownWrapper, "it is started through exec")},
		"nice":                                       {command: argv("nice -n 5 grpc_health_probe -addr=:9000"), want: skipped(reason.UnknownWrapper, "it is started through nice")},
		"su-exec behind timeout":                     {command: argv("timeout 5 su-exec nobody grpc_health_probe -addr=:9000"), want: skipped(reason.UnknownWrapper, "it is started through su-exec")},
		"busybox with an applet that is no shell":    {command: argv("busybox timeout 5 grpc_health_probe -addr=:9000"), want: skipped(reason.UnknownWrapper, "it is started through busybox")},
		"a wrapper inside of a shell is shell logic": {command: sh("nice grpc_health_probe -addr=:9000"), want: skipped(reason.ShellLogic, "it is started through nice")},
		"timeout's option inside of a shell":         {command: sh("timeout -t 5 grpc_health_probe -addr=:9000"), want: skipped(reason.ShellLogic, "timeout is used in a form that is not looked through")},
		"exec behind timeout inside of a shell":      {command: sh("timeout 5 exec grpc_health_probe -addr=:9000"), want: skipped(reason.ShellLogic, "it is started through exec")},
		"exec of nothing":                            {command: sh("exec # grpc_health_probe"), want: skipped(reason.ShellLogic, "no command is left to run")},
		"a proxy for a host that is not loopback": {command: argv("grpc_health_probe -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("HTTPS_PROXY", "http://proxy:3128")}},
			want: skipped(reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy")},
		"a proxy from a secret": {command: argv("grpc_health_probe -addr=0.0.0.0:9000"), container: Container{Env: []corev1.EnvVar{secret("https_proxy")}},
			want: skipped(reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy")},
		"a proxy set by env": {command: argv("env HTTPS_PROXY=http://proxy:3128 grpc_health_probe -addr=:9000"),
			want: skipped(reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy")},
		"a proxy unset by env":              {command: argv("env HTTPS_PROXY= grpc_health_probe -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("HTTPS_PROXY", "http://proxy:3128")}}, want: on9000},
		"an empty proxy":                    {command: argv("grpc_health_probe -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("HTTPS_PROXY", "")}}, want: on9000},
		"a proxy is not asked for loopback": {command: argv("grpc_health_probe -addr=localhost:9000"), container: Container{Env: []corev1.EnvVar{literal("HTTPS_PROXY", "http://proxy:3128")}}, want: on9000},
		"a proxy is asked for loopback behind a port's name": {command: argv("grpc_health_probe -addr=localhost:http"), container: Container{Env: []corev1.EnvVar{literal("HTTPS_PROXY", "http://proxy:3128")}},
			want: skipped(reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy")},
		"a proxy for HTTP alone": {command: argv("grpc_health_probe -addr=:9000"), container: Container{Env: []corev1.EnvVar{literal("HTTP_PROXY", "http://proxy:3128")}}, want: on9000},
	})
}

func TestShells(t *testing.T) {
	logic := func(detail string) Reading { return skipped(reason.ShellLogic, detail) }
	const (
		otherWords   = "the shell is started with other words than -c and a script"
		joins        = "the script joins commands"
		more         = "the script runs more than one command"
		notSimple    = "the script is more than one simple command"
		substitution = "the script uses substitutions"
		globs        = "the script uses globs, tildes or braces"
		redirects    = "the script redirects to a file"
		unparsed     = "the script does not parse"
	)
	tool := "grpc_health_probe -addr=:9000"
	run(t, map[string]readCase{
		"sh -c":                         {command: sh(tool), want: on9000},
		"busybox sh -c":                 {command: []string{"/bin/busybox", "sh", "-c", tool}, want: on9000},
		"busybox alone":                 {command: []string{"busybox"}, want: notOurs},
		"dash, ash and a path":          {command: []string{"/usr/bin/dash", "-c", "ash -c '" + tool + "'"}, want: on9000},
		"sh -ec":                        {command: []string{"sh", "-ec", tool}, want: on9000},
		"sh -e -u -x -c":                {command: []string{"sh", "-e", "-u", "-x", "-c", tool}, want: on9000},
		"sh -c -e":                      {command: []string{"sh", "-c", "-e", tool}, want: on9000},
		"sh -lc":                        {command: []string{"sh", "-lc", tool}, want: logic(otherWords)},
		"bash -o pipefail -c":           {command: []string{"bash", "-o", "pipefail", "-c", tool}, want: logic(otherWords)},
		"sh without -c":                 {command: []string{"sh", "-e", tool}, want: logic(otherWords)},
		"a word behind the script":      {command: []string{"sh", "-c", tool, "sh"}, want: logic(otherWords)},
		"no script":                     {command: []string{"/grpc_health_probe/sh", "-c"}, want: notOurs},
		"+e before the script":          {command: []string{"sh", "-c", "+e", tool}, want: logic(otherWords)},
		"exec":                          {command: sh("exec " + tool), want: on9000},
		"set -e first":                  {command: sh("set -e; " + tool), want: on9000},
		"set -eux and a newline":        {command: sh("set -eux\n# comment\n" + tool + "\n"), want: on9000},
		"set -o pipefail in bash":       {command: bash("set -euo pipefail; " + tool), want: on9000},
		"set -o pipefail alone in bash": {command: bash("set -o pipefail; " + tool), want: on9000},
		"set -o pipefail in sh":         {command: sh("set -o pipefail; " + tool), want: logic(more)},
		"set -o with another option":    {command: bash("set -o noglob; " + tool), want: logic(more)},
		"set +e":                        {command: sh("set +e; " + tool), want: logic(more)},
		"set -n":                        {command: sh("set -n; " + tool), want: logic(more)},
		"set - ":                        {command: sh("set -; " + tool), want: logic(more)},
		"set --":                        {command: sh("set -- a; " + tool), want: logic(more)},
		"set alone":                     {command: sh("set; " + tool), want: logic(more)},
		"set behind the tool":           {command: sh(tool + "; set -e"), want: logic(more)},
		"set with a redirection":        {command: sh("set -e >/x; " + tool), want: logic(more)},
		"set && tool":                   {command: sh("set -e && " + tool), want: logic(joins)},
		"output to /dev/null":           {command: sh(tool + " >/dev/null 2>&1"), want: on9000},
		"appending, to standard error":  {command: sh(tool + " >>/dev/null 1>&2"), want: on9000},
		"&> in bash":                    {command: bash(tool + " &>/dev/null"), want: on9000},
		"&> in sh":                      {command: sh(tool + " &>/dev/null"), want: logic(unparsed)},
		"output to a file":              {command: sh(tool + " >/tmp/out"), want: logic(redirects)},
		"output to a variable's file":   {command: sh(tool + " >$OUT"), want: logic(redirects)},
		"input":                         {command: sh(tool + " </dev/null"), want: logic(redirects)},
		"a closed descriptor":           {command: sh(tool + " >&-"), want: logic(redirects)},
		"a descriptor's variable":       {command: bash(tool + " {fd}>/dev/null"), want: logic(redirects)},
		"|| exit 1":                     {command: sh(tool + " || exit 1"), want: on9000},
		"|| exit 255":                   {command: sh(tool + " 2>&1 || exit 255"), want: on9000},
		"|| return 1":                   {command: sh(tool + " || return 1"), want: on9000},
		"|| false":                      {command: sh("exec " + tool + " || false"), want: on9000},
		"|| exit 256 is a success":      {command: sh(tool + " || exit 256"), want: logic(joins)},
		"|| exit 0":                     {command: sh(tool + " || exit 0"), want: logic(joins)},
		"|| exit 010":                   {command: sh(tool + " || exit 010"), want: logic(joins)},
		"|| exit":                       {command: sh(tool + " || exit"), want: logic(joins)},
		"|| exit x":                     {command: sh(tool + " || exit x"), want: logic(joins)},
		"|| exit $X":                    {command: sh(tool + " || exit $X"), want: logic(joins)},
		"|| true":                       {command: sh(tool + " || true"), want: logic(joins)},
		"|| echo":                       {command: sh(tool + " || echo failed now"), want: logic(joins)},
		"|| { exit 1; }":                {command: sh(tool + " || { exit 1; }"), want: logic(joins)},
		"|| X=1 false":                  {command: sh(tool + " || X=1 false"), want: logic(joins)},
		"|| ! false":                    {command: sh(tool + " || ! false"), want: logic(joins)},
		"&&":                            {command: sh("test -f /x && " + tool), want: logic(joins)},
		"! tool || exit 1":              {command: sh("! " + tool + " || exit 1"), want: logic(notSimple)},
		"a || chain":                    {command: sh(tool + " || false || exit 1"), want: logic(notSimple)},
		"two commands":                  {command: sh("sleep 1; " + tool), want: logic(more)},
		"a pipe":                        {command: sh(tool + " | grep SERVING"), want: logic(joins)},
		"negation":                      {command: sh("! " + tool), want: logic(notSimple)},
		"the background":                {command: sh(tool + " &"), want: logic(notSimple)},
		"a loop":                        {command: sh("while true; do " + tool + "; done"), want: logic(notSimple)},
		"a subshell":                    {command: sh("(" + tool + ")"), want: logic(notSimple)},
		"an assignment before the tool": {command: sh("PORT=1 " + tool), want: logic(notSimple)},
		"only an assignment":            {command: sh("X=/bin/grpc_health_probe"), want: logic(notSimple)},
		"an empty script":               {command: []string{"sh", "-c", "# grpc_health_probe"}, want: logic("the script is empty")},
		"single quotes":                 {command: sh("'grpc_health_probe' '-addr=:9000'"), want: on9000},
		"double quotes":                 {command: sh(`"/bin/grpc_health_probe" "-addr=":"9000"`), want: on9000},
		"a backslash":                   {command: sh(`grpc_health_probe -addr=\:9000`), want: on9000},
		"an ANSI quote in sh, of which busybox knows": {command: sh(`grpc_health_probe -addr=$':9000'`), want: logic("the script has a dollar sign without a name")},
		"a locale quote in sh, of which bash knows":   {command: sh(`grpc_health_probe -addr=$":9000"`), want: logic("the script has a dollar sign without a name")},
		"a redirection that touches the next":         {command: sh(tool + " 2>&1>/dev/null"), want: logic("a redirection touches the one before it")},
		"a continuation behind an escaped backslash":  {command: sh("grpc_health_probe -addr=:9000 -service=a\\\\\\\nb"), want: logic("the script continues a line behind backslashes")},
		"the same in double quotes":                   {command: sh("grpc_health_probe -addr=:9000 -service=\"a\\\\\\\nb\""), want: logic("the script continues a line behind backslashes")},
		"arithmetic of bash in double quotes":         {command: sh(`grpc_health_probe -addr=:9000 -service="$[1]"`), want: logic("the script has a dollar sign without a name")},
		"a comment that ends in a backslash":          {command: sh(tool + " # check \\\ntrue"), want: logic("a comment ends in a backslash")},
		"a plain continuation":                        {command: sh("grpc_health_probe \\\n  -addr=:9000"), want: on9000},
		"dash reads OPTIND before the script":         {command: sh(tool), container: Container{Env: []corev1.EnvVar{literal("OPTIND", "x")}}, want: logic("a variable changes what the shell itself does")},
		"a lone dollar sign in double quotes":         {command: sh(`grpc_health_probe -addr=:9000 -service="a$"`), want: logic("the script has a dollar sign without a name")},
		"carriage returns of a file from Windows":     {command: sh("set -e\r\n" + tool + "\r\n"), want: logic("the script has carriage returns")},
		"an ANSI quote in bash":                       {command: bash(`grpc_health_probe -addr=$':9000'`), want: logic("the script quotes with $'...'")},
		"a locale quote in bash":                      {command: bash(`grpc_health_probe -addr=$":9000"`), want: logic(`the script quotes with $"..."`)},
		"a command substitution":                      {command: sh("grpc_health_probe -addr=`hostname`:9000"), want: logic(substitution)},
		"a command substitution in quotes":            {command: sh("grpc_health_probe -addr=\"`hostname`:9000\""), want: logic(substitution)},
		"arithmetic":                                  {command: sh("grpc_health_probe -addr=:$((9000))"), want: logic(substitution)},
		"a process substitution":                      {command: bash("grpc_health_probe -addr=:9000 <(true)"), want: logic(substitution)},
		"a glob":                                      {command: sh("grpc_health_probe -addr=:9000 *"), want: logic(globs)},
		"brackets are a glob":                         {command: sh("grpc_health_probe -addr=[::1]:9000"), want: logic(globs)},
		"brackets in quotes are none":                 {command: sh("grpc_health_probe '-addr=[::1]:9000'"), want: native(HostLocal6, 9000, "", 2*time.Second)},
		"a tilde":                                     {command: sh("~/grpc_health_probe -addr=:9000"), want: logic(globs)},
		"braces":                                      {command: bash("grpc_health_probe -addr=:{9000,9001}"), want: logic(globs)},
		"a positional parameter":                      {command: sh("grpc_health_probe -addr=:$1"), want: logic(substitution)},
		"a special parameter in quotes":               {command: sh(`grpc_health_probe -addr=:9000 "$@"`), want: logic(substitution)},
		"the length of a variable":                    {command: sh("grpc_health_probe -addr=:${#X}"), want: logic(substitution)},
		"another default":                             {command: sh("grpc_health_probe -addr=:${X-9000}"), want: logic(substitution)},
		"a default with quotes":                       {command: sh("grpc_health_probe -addr=:${X:-'9000'}"), want: logic(substitution)},
		"a substring in bash":                         {command: bash("grpc_health_probe -addr=:${X:1:2}"), want: logic(substitution)},
		"a replacement in bash":                       {command: bash("grpc_health_probe -addr=:${X/a/b}"), want: logic(substitution)},
		"shell logic comes before unknown variables":  {command: sh("grpc_health_probe -addr=:$X | cat"), want: logic(joins)},
		"a wrapper comes before an unknown variable":  {command: sh("nice grpc_health_probe -addr=:$X"), want: logic("it is started through nice")},
		"bash sources the file of BASH_ENV":           {command: bash(tool), container: Container{Env: []corev1.EnvVar{literal("BASH_ENV", "/x")}}, want: logic("a variable changes what the shell itself does")},
		"an exported function":                        {command: sh(tool), container: Container{Env: []corev1.EnvVar{literal("BASH_FUNC_grpc_health_probe%%", "() { true; }")}}, want: logic("a variable changes what the shell itself does")},
		"a script that is not in the manifest":        {command: []string{"sh", "-c", `sh -c "$SCRIPT" # grpc_health_probe`}, want: skipped(reason.UnresolvedVariable, "variable SCRIPT")},
		"a program that is not in the manifest":       {command: sh("$PROBE grpc_health_probe"), want: skipped(reason.UnresolvedVariable, "variable PROBE")},
		"a script that is this Pod's IP":              {command: append(argv("env grpc_health_probe=/grpc_health_probe"), "sh", "-c", `sh -c "$IP" # grpc_health_probe`), container: Container{Env: []corev1.EnvVar{field("IP", "status.podIP")}}, want: skipped(reason.UnresolvedVariable, "variable in the script")},
		"a program that is this Pod's IP":             {command: sh("$IP grpc_health_probe"), container: Container{Env: []corev1.EnvVar{field("IP", "status.podIP")}}, want: skipped(reason.UnresolvedVariable, "variable in the program's name")},
		"an expansion that the library does not know": {command: sh("grpc_health_probe -addr=:9000 \"${X:-}\""), container: Container{Env: []corev1.EnvVar{literal("X", "")}}, want: on9000},
	})
}

func TestShellVariables(t *testing.T) {
	env := []corev1.EnvVar{
		literal("PORT", "9000"), literal("EMPTY", ""), literal("ADDR", ":$(PORT)"), literal("EARLY", "$(LATE)"), literal("LATE", "1"),
		literal("FLAGS", " -addr=:9000  -service=a "), field("POD_IP", "status.podIP"), field("HOST_IP", "status.hostIP"), field("NAME", "metadata.name"),
		literal("POD_ADDR", "$(POD_IP):9000"), secret("TOKEN"), literal("GLOB", "a*"), literal("PWD", "/x"), literal("BASH_VERSION", "9000"),
		literal("LONG", strings.Repeat("x", 1025)), literal("MARKED", markPodIP), literal("IFS", "9"), literal("DOUBLE", "$(LONG)$(LONG)"),
	}
	in := func(script string, want Reading) readCase {
		return readCase{command: sh(script), container: Container{Env: env}, want: want}
	}
	unknown := func(name string) Reading { return skipped(reason.UnresolvedVariable, "variable "+name) }
	onPod := native(HostPod, 9000, "", 2*time.Second)
	run(t, map[string]readCase{
		"$X":                                          in("grpc_health_probe -addr=:$PORT", on9000),
		"${X} in quotes":                              in(`grpc_health_probe "-addr=:${PORT}"`, on9000),
		"${X:-default} of a set variable":             in("grpc_health_probe -addr=:${PORT:-1}", on9000),
		"${X:-default} of an empty variable":          in("grpc_health_probe -addr=:${EMPTY:-9000}", on9000),
		"a value that the kubelet expands":            in("grpc_health_probe -addr=$ADDR", on9000),
		"a value with a reference to a later one":     in("grpc_health_probe -addr=:$EARLY", unknown("EARLY")),
		"an empty unquoted variable vanishes":         in("grpc_health_probe $EMPTY -addr=:9000", on9000),
		"an empty quoted variable ends the flags":     in(`grpc_health_probe "$EMPTY" -addr=:9000`, skipped(reason.AlwaysFails, "-addr is missing")),
		"blanks split an unquoted variable":           in("grpc_health_probe $FLAGS", native(HostLocal, 9000, "a", 2*time.Second)),
		"blanks do not split a quoted variable":       in(`grpc_health_probe -addr=:9000 -service="$FLAGS"`, native(HostLocal, 9000, " -addr=:9000  -service=a ", 2*time.Second)),
		"IFS of the environment is not used":          in("grpc_health_probe -addr=:$PORT", on9000),
		"IFS itself is unknown":                       in("grpc_health_probe -addr=:9000 -service=$IFS", unknown("IFS")),
		"this Pod's IP":                               in("grpc_health_probe -addr=$POD_IP:9000", onPod),
		"this Pod's IP in brackets, in quotes":        in(`grpc_health_probe "-addr=[$POD_IP]:9000"`, onPod),
		"this Pod's IP within a value":                in("grpc_health_probe -addr=$POD_ADDR", onPod),
		"this Pod's IP under dns: without a port":     in("grpc_health_probe -addr=dns:$POD_IP", native(HostPod, 443, "", 2*time.Second)),
		"this Pod's IP as the service":                in("grpc_health_probe -addr=:9000 -service=$POD_IP", skipped(reason.UnresolvedVariable, "the Pod's IP or host name stands for more than the host")),
		"this Pod's IP twice":                         in("grpc_health_probe -addr=$POD_IP:1 -addr=$POD_IP:9000", skipped(reason.UnresolvedVariable, "the Pod's IP or host name stands for more than the host")),
		"this Pod's IP as the port":                   in("grpc_health_probe -addr=:$POD_IP", skipped(reason.UnresolvedVariable, "the port is not in the manifest")),
		"this Pod's IP within a host":                 in("grpc_health_probe -addr=$POD_IP.x:9000", skipped(reason.UnresolvedVariable, "the host is not in the manifest")),
		"this Pod's IP with a proxy":                  {command: sh("grpc_health_probe -addr=$POD_IP:9000"), container: Container{Env: append([]corev1.EnvVar{literal("HTTPS_PROXY", "http://proxy")}, env...)}, want: skipped(reason.UnresolvedVariable, "with HTTPS_PROXY set, the tool may go through the proxy")},
		"the host's IP":                               in("grpc_health_probe -addr=$HOST_IP:9000", unknown("HOST_IP")),
		"the host's IP with the host's network":       {command: sh("grpc_health_probe -addr=$HOST_IP:9000"), container: Container{Env: env, HostNetwork: true}, want: onPod},
		"HOSTNAME":                                    in("grpc_health_probe -addr=$HOSTNAME:9000", native(HostName, 9000, "", 2*time.Second)),
		"HOSTNAME in brackets":                        in(`grpc_health_probe "-addr=[$HOSTNAME]:9000"`, skipped(reason.UnresolvedVariable, "the host is not in the manifest")),
		"HOSTNAME with the host's network":            {command: sh("grpc_health_probe -addr=$HOSTNAME:9000"), container: Container{HostNetwork: true}, want: unknown("HOSTNAME")},
		"HOSTNAME of a Pod that overrides it":         {command: sh("grpc_health_probe -addr=$HOSTNAME:9000"), container: Container{HostnameOverridden: true}, want: unknown("HOSTNAME")},
		"HOSTNAME overridden by env":                  {command: sh("grpc_health_probe -addr=$HOSTNAME:9000"), container: Container{Env: []corev1.EnvVar{literal("HOSTNAME", "localhost")}}, want: on9000},
		"another field":                               in("grpc_health_probe -addr=:9000 -service=$NAME", unknown("NAME")),
		"a secret":                                    in("grpc_health_probe -addr=:9000 -rpc-header=a:$TOKEN", unknown("TOKEN")),
		"a variable that env does not hold":           in("grpc_health_probe -addr=:$NOPE", unknown("NOPE")),
		"a default for what the image may set":        in("grpc_health_probe -addr=:${NOPE:-9000}", unknown("NOPE")),
		"a value that is a glob":                      in("grpc_health_probe -addr=:9000 -service=$GLOB", skipped(reason.ShellLogic, "a variable's value is a glob to the shell")),
		"a value that is a glob, in quotes":           in(`grpc_health_probe -addr=:9000 -service="$GLOB"`, native(HostLocal, 9000, "a*", 2*time.Second)),
		"a variable that the shell sets itself":       in("grpc_health_probe -addr=:9000 -service=$PWD", unknown("PWD")),
		"a variable of bash":                          in("grpc_health_probe -addr=:$BASH_VERSION", unknown("BASH_VERSION")),
		"a value of more than 1,024 bytes":            in("grpc_health_probe -addr=:9000 $LONG", unknown("LONG")),
		"a value that grows beyond 1,024 bytes":       in("grpc_health_probe -addr=:9000 $DOUBLE", unknown("DOUBLE")),
		"a value with our mark":                       in("grpc_health_probe -addr=$MARKED:9000", unknown("MARKED")),
		"an unknown value given to env":               in("env A=$NOPE grpc_health_probe -addr=:9000", unknown("NOPE")),
		"a reference inside of a Pod's literal value": {command: sh("grpc_health_probe -addr=:$P"), container: Container{Env: []corev1.EnvVar{literal("P", "$$(X)")}}, want: skipped(reason.UnusualAddress, "the address is not host:port")},
	})
}

func TestFlags(t *testing.T) {
	refused := func(why string) Reading { return skipped(reason.AlwaysFails, why) }
	cases := map[string]struct {
		flags string
		want  Reading
	}{
		"two dashes, a value behind":                     {"--addr :9000", on9000},
		"the last of a repeated flag wins":               {"-addr=:1 -addr=:9000", on9000},
		"a service":                                      {"-addr=:9000 -service=pkg.Service", native(HostLocal, 9000, "pkg.Service", 2*time.Second)},
		"timeouts add up":                                {"-addr=:9000 -connect-timeout=250ms -rpc-timeout 5s", native(HostLocal, 9000, "", 5250*time.Millisecond)},
		"timeouts that do not fit together":              {"-addr=:9000 -connect-timeout=2562047h -rpc-timeout=2562047h", native(HostLocal, 9000, "", math.MaxInt64)},
		"-v is dropped":                                  {"-addr=:9000 -v", on9000},
		"-- ends the flags":                              {"-addr=:9000 -- -tls", on9000},
		"a word ends the flags":                          {"-addr=:9000 word -tls", on9000},
		"booleans take no word":                          {"-tls true -tls-no-verify -addr=:9000", refused("-addr is missing")},
		"booleans switched off":                          {"-addr=:9000 -tls=false -tls-no-verify=0 -spiffe=F -alts=f -gzip=FALSE -version=false -v=false", on9000},
		"the default user agent":                         {"-addr=:9000 -user-agent=grpc_health_probe", on9000},
		"no arguments":                                   {"", refused("-addr is missing")},
		"an empty -addr":                                 {"-addr=", refused("-addr is missing")},
		"a flag that it does not have":                   {"-addr=:9000 -only-connect", refused("it has no flag -only-connect")},
		"a value that lost its flag":                     {"-addr=:9000 -S3cr3tToken", refused("it does not have one of the flags")},
		"a timeout without a unit":                       {"-addr=:9000 -connect-timeout=3", refused("-connect-timeout is no duration such as 3s")},
		"an rpc timeout that is none":                    {"-addr=:9000 -rpc-timeout=soon", refused("-rpc-timeout is no duration such as 3s")},
		"a zero timeout":                                 {"-addr=:9000 -connect-timeout=0s", refused("-connect-timeout is not greater than zero")},
		"a negative rpc timeout":                         {"-addr=:9000 -rpc-timeout=-1s", refused("-rpc-timeout is not greater than zero")},
		"a flag without its value":                       {"-addr=:9000 -service", refused("-service has no value")},
		"a boolean that is neither":                      {"-addr=:9000 -tls=yes", refused("-tls is neither true nor false")},
		"a header without a colon":                       {"-addr=:9000 -rpc-header=token", refused("-rpc-header has no colon")},
		"bad syntax":                                     {"-addr=:9000 -=x", refused("a flag is written in a way it cannot read")},
		"-h":                                             {"-addr=:9000 -h", refused("-h only prints the usage")},
		"--help":                                         {"--help", refused("-h only prints the usage")},
		"-tls-no-verify alone":                           {"-addr=:9000 -tls-no-verify", refused("-tls-no-verify needs -tls")},
		"-tls-ca-cert alone":                             {"-addr=:9000 -tls-ca-cert=/ca", refused("-tls-ca-cert needs -tls")},
		"-tls-client-cert alone":                         {"-addr=:9000 -tls-client-cert=/c", refused("-tls-client-cert needs -tls")},
		"-tls-server-name alone":                         {"-addr=:9000 -tls-server-name=x", refused("-tls-server-name needs -tls")},
		"half a client pair":                             {"-addr=:9000 -tls -tls-client-cert=/c", refused("-tls-client-cert needs -tls-client-key")},
		"the other half":                                 {"-addr=:9000 -tls-client-key=/k", refused("-tls-client-key needs -tls-client-cert")},
		"a CA that would not be used":                    {"-addr=:9000 -tls -tls-no-verify -tls-ca-cert=/ca", refused("-tls-ca-cert and -tls-no-verify exclude each other")},
		"a server name that would not be used":           {"-addr=:9000 -tls -tls-no-verify -tls-server-name=x", refused("-tls-server-name and -tls-no-verify exclude each other")},
		"-tls with -alts":                                {"-addr=:9000 -tls -alts", refused("-tls and -alts exclude each other")},
		"-tls with -spiffe":                              {"-addr=:9000 -tls -spiffe", refused("-tls and -spiffe exclude each other")},
		"-alts with -spiffe":                             {"-addr=:9000 -alts -spiffe", refused("-alts and -spiffe exclude each other")},
		"-version":                                       {"-version", skipped(reason.AlwaysSucceeds, "-version")},
		"-version wins over validation":                  {"-version -tls-no-verify", skipped(reason.AlwaysSucceeds, "-version")},
		"-version does not win over a parse error":       {"-version -nope", refused("it has no flag -nope")},
		"-spiffe":                                        {"-addr=:9000 -spiffe", skipped(reason.SPIFFE, "")},
		"-alts":                                          {"-addr=:9000 -alts", skipped(reason.ALTS, "")},
		"a client certificate":                           {"-addr=:9000 -tls -tls-client-cert=/c -tls-client-key=/k", skipped(reason.ClientCertificate, "")},
		"a client certificate without verification":      {"-addr=:9000 -tls -tls-no-verify -tls-client-cert=/c -tls-client-key=/k", skipped(reason.ClientCertificate, "")},
		"-tls verifies":                                  {"-addr=:9000 -tls", skipped(reason.TLSVerified, "")},
		"-tls with a CA":                                 {"-addr=:9000 --tls=true -tls-ca-cert=/ca -tls-server-name=x", skipped(reason.TLSVerified, "")},
		"-tls-no-verify=false verifies":                  {"-addr=:9000 -tls -tls-no-verify=false", skipped(reason.TLSVerified, "")},
		"-tls -tls-no-verify":                            {"-addr=:9000 -tls -tls-no-verify", skipped(reason.TLS, "")},
		"a header":                                       {"-addr=:9000 -rpc-header=a:b -rpc-header=c:", skipped(reason.RPCHeader, "")},
		"TLS comes before headers":                       {"-addr=:9000 -tls -tls-no-verify -rpc-header=a:b", skipped(reason.TLS, "")},
		"a user agent":                                   {"-addr=:9000 -user-agent=x", skipped(reason.UserAgent, "")},
		"an empty user agent":                            {"-addr=:9000 -user-agent=", skipped(reason.UserAgent, "")},
		"-gzip":                                          {"-addr=:9000 -gzip", skipped(reason.Gzip, "")},
		"gzip comes before the address":                  {"-addr=unix:///x -gzip", skipped(reason.Gzip, "")},
		"an address that never works comes before flags": {"-addr=9000 -gzip", skipped(reason.AlwaysFails, "the address has no port")},
		"validation comes before the address":            {"-addr=9000 -tls-no-verify", refused("-tls-no-verify needs -tls")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Reader{}.Read(append([]string{"grpc_health_probe"}, argv(c.flags)...), Container{})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("flags %q (-want +got):\n%s", c.flags, diff)
			}
		})
	}
}

func TestTLSProbesSwitchedOn(t *testing.T) {
	tls := func(flags string) Reading {
		return Reader{TLSProbes: true}.Read(argv("grpc_health_probe -addr=:9000 "+flags), Container{})
	}
	want := native(HostLocal, 9000, "", 2*time.Second)
	want.Check.TLS = true
	if diff := cmp.Diff(want, tls("-tls -tls-no-verify")); diff != "" {
		t.Errorf("TLS without verification (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(skipped(reason.TLSVerified, ""), tls("-tls")); diff != "" {
		t.Errorf("TLS with verification (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(skipped(reason.RPCHeader, ""), tls("-tls -tls-no-verify -rpc-header=a:b")); diff != "" {
		t.Errorf("TLS with a header (-want +got):\n%s", diff)
	}
}

func TestTarget(t *testing.T) {
	fails := func(why string) Reading { return skipped(reason.AlwaysFails, why) }
	unusual := func(why string) Reading { return skipped(reason.UnusualAddress, why) }
	local := func(port int32) Reading { return native(HostLocal, port, "", 2*time.Second) }
	const (
		notHostPort = "the address is not host:port"
		noPort      = "the address has no port"
		outOfRange  = "the port is not between 1 and 65535"
		brackets    = "an IPv6 address needs brackets"
		odd         = "the address has a query, a fragment or a percent sign"
		noIPv6      = "the brackets hold no IPv6 address"
	)
	cases := map[string]Reading{
		":9000":                         local(9000),
		"localhost:9000":                local(9000),
		"127.0.0.1:9000":                local(9000),
		"0.0.0.0:9000":                  local(9000),
		"[::1]:9000":                    native(HostLocal6, 9000, "", 2*time.Second),
		"[::]:9000":                     native(HostAny6, 9000, "", 2*time.Second),
		"[0:0:0:0:0:0:0:1]:9000":        native(HostLocal6, 9000, "", 2*time.Second),
		"127.0.0.2:9000":                skipped(reason.LoopbackAddress, "host 127.0.0.2"),
		"[::ffff:127.0.0.1]:9000":       skipped(reason.LoopbackAddress, "host ::ffff:127.0.0.1"),
		"10.0.0.1:9000":                 skipped(reason.RemoteAddress, "host 10.0.0.1"),
		"db.example:9000":               skipped(reason.RemoteAddress, "host db.example"),
		"LOCALHOST:9000":                skipped(reason.RemoteAddress, "host LOCALHOST"),
		"127.1:9000":                    skipped(reason.RemoteAddress, "host 127.1"),
		"[2001:db8::1]:9000":            skipped(reason.RemoteAddress, "host 2001:db8::1"),
		":http":                         local(80),
		":HTTPS":                        local(443),
		":grpc":                         skipped(reason.UnresolvedPort, "port grpc"),
		":9000x":                        skipped(reason.UnresolvedPort, "port 9000x"),
		":x-y":                          skipped(reason.UnresolvedPort, "port x-y"),
		":1":                            local(1),
		":65535":                        local(65535),
		":65536":                        fails(outOfRange),
		":99999999999999999999":         fails(outOfRange),
		":0":                            fails(outOfRange),
		":09000":                        unusual("the port has a leading zero"),
		":00":                           unusual("the port has a leading zero"),
		":+9000":                        unusual(notHostPort),
		":-9000":                        unusual("the port has a sign"),
		":x_y":                          unusual("the port is neither a number nor a name"),
		":":                             fails("the address has an empty port"),
		"localhost:":                    fails("the address has an empty port"),
		"localhost":                     fails(noPort),
		"9000":                          fails(noPort),
		"[::1]":                         fails(noPort),
		"::1":                           fails(brackets),
		"::1:9000":                      fails(brackets),
		"fe80::1:9000":                  fails(brackets),
		"[::1:9000":                     unusual(notHostPort),
		"[localhost]:9000":              unusual(noIPv6),
		"[127.0.0.1]:9000":              unusual(noIPv6),
		"localhost:9000:1":              unusual(notHostPort),
		"localhost:9000/":               unusual(notHostPort),
		"user@localhost:9000":           unusual(notHostPort),
		"grpc://localhost:9000":         unusual(notHostPort),
		"http://localhost:9000":         fails("the address is a URL; the tool takes host:port"),
		"HTTPS://localhost:9000":        fails("the address is a URL; the tool takes host:port"),
		"ipv4:127.0.0.1:9000":           fails("the address has a scheme that the tool does not know"),
		"ipv6:[::1]:9000":               fails("the address has a scheme that the tool does not know"),
		"/run/app.sock":                 fails("the address is a path; a socket is written unix:///path"),
		"localhost:9000?x=y":            unusual(odd),
		"localhost:9000#x":              unusual(odd),
		"localhost%3a9000":              unusual(odd),
		"[fe80::1%eth0]:9000":           unusual(odd),
		"unix:///run/app.sock":          skipped(reason.UnixSocket, ""),
		"unix:app.sock":                 skipped(reason.UnixSocket, ""),
		"UNIX:/run/app.sock":            skipped(reason.UnixSocket, ""),
		"unix-abstract:app":             skipped(reason.UnixSocket, ""),
		"dns:localhost:9000":            local(9000),
		"DNS:localhost:9000":            local(9000),
		"dns:///localhost:9000":         local(9000),
		"dns:///:9000":                  local(9000),
		"dns:localhost":                 local(443),
		"dns:::1":                       native(HostLocal6, 443, "", 2*time.Second),
		"dns:[::1]":                     native(HostLocal6, 443, "", 2*time.Second),
		"dns:[::1]:9000":                native(HostLocal6, 9000, "", 2*time.Second),
		"dns:localhost:":                fails("the address has an empty port"),
		"dns:":                          unusual(notHostPort),
		"dns://8.8.8.8/localhost:9000":  unusual("the address names an authority"),
		"dns:9000":                      skipped(reason.RemoteAddress, "host 9000"),
		"passthrough:localhost:9000":    local(9000),
		"passthrough:///localhost:9000": local(9000),
		"passthrough:///localhost":      fails(noPort),
		"passthrough:///unix:app.sock":  skipped(reason.UnixSocket, ""),
		"passthrough://x/:9000":         unusual("the address names an authority"),
	}
	for addr, want := range cases {
		t.Run(addr, func(t *testing.T) {
			got := Reader{}.Read([]string{"grpc_health_probe", "-addr", addr}, Container{})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-addr %q (-want +got):\n%s", addr, diff)
			}
		})
	}
	for _, addr := range []string{" :9000", "localhost: 9000", "localhost:9000\n", "local host:9000", "localhost:9000\u00a0"} {
		if got := (Reader{}).Read([]string{"grpc_health_probe", "-addr", addr}, Container{}); got != fails("the address has blanks in it") {
			t.Errorf("-addr %q: got %+v", addr, got)
		}
	}
}

func TestIPv6First(t *testing.T) {
	podIP := Container{Env: []corev1.EnvVar{field("POD_IP", "status.podIP")}}
	v6 := Reader{IPv6: true}
	onPod := native(HostPod, 9000, "", 2*time.Second)
	run(t, map[string]readCase{
		"this Pod's IP in brackets":      {command: sh(`grpc_health_probe "-addr=[$POD_IP]:9000"`), container: podIP, reader: v6, want: onPod},
		"this Pod's IP without brackets": {command: sh("grpc_health_probe -addr=$POD_IP:9000"), container: podIP, reader: v6, want: skipped(reason.AlwaysFails, "an IPv6 address needs brackets")},
		"HOSTNAME needs no brackets":     {command: sh("grpc_health_probe -addr=$HOSTNAME:9000"), reader: v6, want: native(HostName, 9000, "", 2*time.Second)},
		"under dns: with a port":         {command: sh("grpc_health_probe -addr=dns:$POD_IP:1"), container: podIP, reader: v6, want: skipped(reason.UnusualAddress, "an IPv6 address needs brackets")},
		"under dns: without a port":      {command: sh("grpc_health_probe -addr=dns:$POD_IP"), container: podIP, reader: v6, want: native(HostPod, 443, "", 2*time.Second)},
	})
}

func TestAReaderForManyForgetsTheCommandBefore(t *testing.T) {
	reader := Reader{}.ForMany()
	for _, flags := range []string{"-addr=:1 -service=s -tls -rpc-header=a:b -gzip", "-nope", "-addr=:9000"} {
		command := append([]string{"grpc_health_probe"}, argv(flags)...)
		if diff := cmp.Diff(Reader{}.Read(command, Container{}), reader.Read(command, Container{})); diff != "" {
			t.Errorf("%s (-alone +among many):\n%s", flags, diff)
		}
	}
}

func TestReadDoesNotChangeItsArguments(t *testing.T) {
	command := argv("grpc_health_probe -addr=:$(PORT)")
	env := []corev1.EnvVar{literal("PORT", "9000")}
	Reader{}.Read(command, Container{Env: env})
	if diff := cmp.Diff(argv("grpc_health_probe -addr=:$(PORT)"), command); diff != "" {
		t.Errorf("the command changed:\n%s", diff)
	}
	if diff := cmp.Diff([]corev1.EnvVar{literal("PORT", "9000")}, env); diff != "" {
		t.Errorf("the env changed:\n%s", diff)
	}
}

package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

// hiddenEnv are variables that a container has though its env list does not:
// those of its image, envFrom and service links.
var hiddenEnv = []string{"HOME=/root", "HOSTNAME=" + podHostname, "HIDDEN=50052"}

func TestEveryReducedScriptRunsTheToolOnceAsItIsRead(t *testing.T) {
	g, shells := newGenerator(seed()), newShells(t)
	row := count{what: "real shells"}
	for row.tried < *scriptCount {
		shells.compare(t, &row, g.script())
	}
	totals.add(row)
}

// shells runs scripts with the stand-in in place of the tool.
type shells struct {
	tool *oracle
	// variants are directories with the programs that a script may find; what
	// sh is differs.
	variants []string
	// places are working directories: an empty one, and one whose files have
	// names that a glob would pick up.
	places [2]string
	record string
	runs   int
}

func newShells(t *testing.T) *shells {
	t.Helper()
	s := &shells{tool: newOracle(t), places: [2]string{t.TempDir(), t.TempDir()}, record: filepath.Join(t.TempDir(), "record")}
	for _, name := range []string{"a", "ab", "-v", "-addr=:1", "-addr=:50052", "-service=a", "-service=x", "x y", "[a]", "\\", "*", "grpc_health_probe", "1"} {
		writeFile(t, filepath.Join(s.places[1], name), "")
	}
	standin := buildStandin(t)
	for _, sh := range []string{"dash", "bash", "busybox"} {
		dir := t.TempDir()
		for name, target := range map[string]string{"sh": sh, "dash": "dash", "bash": "bash", "ash": "busybox", "busybox": "busybox", "timeout": "timeout", "env": "env", "cat": "cat"} {
			path, err := exec.LookPath(target)
			if err != nil {
				t.Fatalf("the shell tests need %s: install the package busybox, bash, dash or coreutils: %v", target, err)
			}
			link(t, path, filepath.Join(dir, name))
		}
		link(t, standin, filepath.Join(dir, "grpc_health_probe"))
		s.variants = append(s.variants, dir)
	}
	return s
}

// compare reads a script and has it run, and reports a difference in a short form.
func (s *shells) compare(t *testing.T, row *count, c script) {
	t.Helper()
	row.judged(c.read())
	if s.difference(t, c) == "" {
		return
	}
	row.differences++
	if row.differences <= maxShown {
		short := s.shorten(t, c)
		t.Errorf("%s\n%s", s.difference(t, short), kept(keptCase{Command: short.command(), Env: short.Env, Pod: short.Pod}))
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// notReduced are the reasons that say nothing of what the script does.
var notReduced = []reason.Code{reason.ShellLogic, reason.UnknownWrapper, reason.UnresolvedVariable, reason.CommandTooLong}

// difference says how the reading of a script is at odds with what a shell
// does with it, or "".
func (s *shells) difference(t *testing.T, c script) string {
	t.Helper()
	reading := c.read()
	if !reading.Ours || slices.Contains(notReduced, reading.Reason) {
		return ""
	}
	variants := s.variants
	if !slices.ContainsFunc(c.command(), func(word string) bool { return strings.Contains(word, "sh") && !strings.Contains(word, "bash") }) {
		variants = variants[:1] // no sh in it
	}
	for _, variant := range variants {
		for i, place := range s.places {
			status := i * (1 + s.runs%4) // 0 in the first, another in the second
			if problem := s.run(t, c, reading, variant, place, status); problem != "" {
				sh, err := os.Readlink(filepath.Join(variant, "sh"))
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("where sh is %s: %s", filepath.Base(sh), problem)
			}
		}
	}
	return ""
}

// notFound is what a shell exits with for a program that is not there, such as
// a tool by a path that only its image has.
const notFound = 127

var toolPath = regexp.MustCompile(`/['"\\]*(grpc|\$\{?(TOOL|EMPTY|UNDEF))`)

// run runs a script once.
func (s *shells) run(t *testing.T, c script, reading healthprobe.Reading, variant, place string, status int) string {
	t.Helper()
	s.runs++
	words := kubeletExpand(c.command(), c.realEnv())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(variant, filepath.Base(words[0])), words[1:]...)
	cmd.Args[0] = words[0]
	cmd.Dir = place
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = slices.Clone(hiddenEnv)
	if place == s.places[1] { // as an image may have it
		cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8", "HOSTNAME=0.0.0.0")
	}
	cmd.Env = append(cmd.Env, processEnv(c.realEnv(), c.Pod)...)
	cmd.Env = append(cmd.Env, "PATH="+variant, "STANDIN_RECORD="+s.record, fmt.Sprint("STANDIN_STATUS=", status))
	_ = os.Remove(s.record)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Sprintf("read as %q, but it does not run: %v", reading.Reason, err)
	}
	ran := s.recorded(t)
	switch {
	case len(ran) == 0 && cmd.ProcessState.ExitCode() == notFound && toolPath.MatchString(c.Text):
		return ""
	case len(ran) != 1:
		return fmt.Sprintf("read as %q, but the tool is run %d times (exit status %d)", reading.Reason, len(ran), cmd.ProcessState.ExitCode())
	case (status == 0) != cmd.ProcessState.Success():
		return fmt.Sprintf("the tool exits with %d and the script with %d", status, cmd.ProcessState.ExitCode())
	}
	limit := time.Duration(0)
	if strings.Contains(strings.Join(c.command(), " "), "timeout ") && reading.Check.Budget >= 9*time.Second {
		limit = reading.Check.Budget // no wrapper here has less; what it is exactly, other tests show
	}
	if problem := difference(s.tool.judge(t, ran)[0], reading, limit); problem != "" {
		return fmt.Sprintf("the tool gets %q: %s", ran[0], problem)
	}
	return ""
}

// recorded returns the arguments of each run of the stand-in.
func (s *shells) recorded(t *testing.T) [][]string {
	t.Helper()
	file, err := os.Open(s.record)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var ran [][]string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var args []string
		if err := json.Unmarshal(lines.Bytes(), &args); err != nil {
			t.Fatal(err)
		}
		ran = append(ran, args)
	}
	return ran
}

// processEnv is the environment that the kubelet makes of an env list
// (makeEnvironmentVariables in pkg/kubelet/kubelet_pods.go): in order, each
// literal value expanded from what stands before it.
func processEnv(list []corev1.EnvVar, p pod) []string {
	values := map[string]string{}
	var env []string
	for _, v := range list {
		value := v.Value
		switch {
		case value != "":
			value = expansion.Expand(value, expansion.MappingFuncFor(values))
		case v.ValueFrom != nil:
			value = p.valueFrom(v.ValueFrom)
		}
		values[v.Name] = value
		env = append(env, v.Name+"="+value)
	}
	return env
}

// valueFrom is what a reference leads to in a Pod.
func (p pod) valueFrom(source *corev1.EnvVarSource) string {
	switch {
	case source.FieldRef == nil || source.FieldRef.FieldPath == "status.hostIP" && !p.HostNetwork:
		return "50053"
	case p.IPv6:
		return podIPv6
	default:
		return podIP
	}
}

// shorten takes away from a script what its difference does not need.
func (s *shells) shorten(t *testing.T, c script) script {
	t.Helper()
	return shrink(c, func(c script) []script {
		var smaller []script
		for i := range c.Env {
			smaller = append(smaller, script{c.Shell, c.Text, slices.Delete(slices.Clone(c.Env), i, i+1), c.Pod})
		}
		for i := range len(c.Shell) - 2 {
			smaller = append(smaller, script{c.Shell[i+1:], c.Text, c.Env, c.Pod})
		}
		if c.Pod != (pod{}) {
			smaller = append(smaller, script{c.Shell, c.Text, c.Env, pod{}})
		}
		for _, shorter := range without(c.Text) {
			smaller = append(smaller, script{c.Shell, shorter, c.Env, c.Pod})
		}
		return smaller
	}, func(c script) bool { return s.difference(t, c) != "" })
}

//go:build linux

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
)

func completes(t *testing.T, c *cluster) {
	complete := func(args ...string) string {
		return c.expect(t, 0, append([]string{"__completeNoDesc"}, args...)...).stdout
	}
	contains(t, complete("audit", "--namespace", "kube-"), "kube-system\n", "kube-node-lease\n")
	if got := complete("audit", "--namespace", "sho"); !strings.HasPrefix(got, "shop\n:4") {
		t.Errorf("sho is completed to %q", got)
	}
	contains(t, complete("doctor", "--context", ""), "envtest\n")
	contains(t, complete("doctor", "--cluster", ""), "envtest\n")
	contains(t, complete("audit", "-o", ""), "table\njson\nyaml\n")
	contains(t, complete("audit", "--ports", ""), "declared\nany\n")
	contains(t, complete("verify", "-n", "shop", "pay"), "payments-5d4f8c7b9-r0\n", "payments-5d4f8c7b9-r2\n")
	if got := complete("verify", "-n", "shop", "payments-5d4f8c7b9-r0", "payments-5d4f8c7b9-r"); strings.Contains(got, "r0\n") {
		t.Errorf("a Pod is offered twice: %q", got)
	}
	contains(t, complete(""), "audit\n", "doctor\n", "explain\n", "migrate\n", "verify\n", "version\n")
}

// cannotRun are examples that need what is not there: a path or image of the
// user's own, or a program beside this one.
var cannotRun = []string{"migrate -f deploy/", "registry.example", "payments-0", "--dir ~", "completion install", " | ", "\\"}

// examplesRun runs the examples of --help, in the directory that they are
// written for: the repository's.
func examplesRun(t *testing.T, c *cluster) {
	ran := 0
	walk(root.New(genericiooptions.NewTestIOStreamsDiscard()), func(command *cobra.Command) {
		for line := range strings.Lines(command.Example) {
			line, isCommand := strings.CutPrefix(strings.TrimSpace(line), "kubectl probeshift ")
			if !isCommand || containsAny(line, cannotRun) {
				continue
			}
			ran++
			program := c.command(t.Context(), words(line)...)
			program.Dir = filepath.Join("..", "..")
			output, _ := program.CombinedOutput() // the code is looked at
			if code := program.ProcessState.ExitCode(); code == 1 || len(output) == 0 {
				t.Errorf("%s: code %d\n%s", line, code, output)
			}
		}
	})
	if ran < 8 {
		t.Errorf("only %d examples ran", ran)
	}
}

func walk(command *cobra.Command, visit func(*cobra.Command)) {
	visit(command)
	for _, each := range command.Commands() {
		walk(each, visit)
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// words splits a line at blanks, and keeps what stands in single quotes
// together.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

func TestEveryCommandHasHelpAndAnExample(t *testing.T) {
	walk(root.New(genericiooptions.NewTestIOStreamsDiscard()), func(command *cobra.Command) {
		if command.Hidden {
			return
		}
		if command.Short == "" || command.Example == "" && !command.HasSubCommands() {
			t.Errorf("%s has no short text or no example", command.CommandPath())
		}
		for line := range strings.Lines(command.Long + "\n" + command.Example) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
				t.Errorf("%s: a line of %d columns: %s", command.CommandPath(), n, line)
			}
		}
	})
}

func TestThePluginWritesItsOwnCompletion(t *testing.T) {
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "none")}
	dir := t.TempDir()
	path := filepath.Join(dir, "kubectl_complete-probeshift")
	for range 2 { // again over its own
		o := c.expect(t, 0, "completion", "install", "--dir", dir)
		contains(t, o.stdout, "wrote "+path, "is not in PATH")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v", info.Mode())
	}
	// As kubectl runs it: from PATH, with the plugin there too.
	plugin := "#!/bin/sh\nexec " + os.Args[0] + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "kubectl-probeshift"), []byte(plugin), 0o755); err != nil {
		t.Fatal(err)
	}
	program := c.command(t.Context(), "version", "-o", "")
	program.Path, program.Args[0] = path, path
	program.Env = append(program.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	output, err := program.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	contains(t, string(output), "json\n", "yaml\n")

	if err := os.WriteFile(path, []byte("somebody else's"), 0o755); err != nil {
		t.Fatal(err)
	}
	contains(t, c.expect(t, 1, "completion", "install", "--dir", dir).stderr, "was not written by this command")
}

func TestVersionNamesTheProgram(t *testing.T) {
	c := &cluster{}
	contains(t, c.expect(t, 0, "version").stdout, "kubectl-probeshift ", "go1.")
	contains(t, c.expect(t, 0, "version", "-o", "yaml").stdout, "version: ", "platform: ")
}

func TestHelpIsACommandToo(t *testing.T) {
	c := &cluster{}
	for _, args := range [][]string{{"audit", "--help"}, {"help", "audit"}} {
		contains(t, c.expect(t, 0, args...).stdout, "kubectl probeshift audit [flags]", "--all-namespaces", "-n shop")
	}
	contains(t, c.expect(t, 0, "help").stdout, "kubectl probeshift COMMAND")
}

func TestWrongCommandsEndWithOneAndSayWhy(t *testing.T) {
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "none")}
	contains(t, c.expect(t, 1, "audti").stderr, `error: unknown command "audti" for "kubectl probeshift"`, "audit")
	contains(t, c.expect(t, 1, "audit", "--colour").stderr, "unknown flag: --colour")
	contains(t, c.expect(t, 1, "audit", "extra").stderr, "audit takes no arguments", "-n extra")
	contains(t, c.expect(t, 1, "audit").stderr, "error: no cluster is configured: set KUBECONFIG")
	contains(t, c.expect(t, 1, "doctor", "--context=nowhere").stderr, "load the kubeconfig", "nowhere")
}

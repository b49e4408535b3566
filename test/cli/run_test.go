//go:build linux

package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
	// memory is the largest resident size of the process, in bytes.
	memory int64
}

// command is the program with these arguments, on this cluster.
func (c *cluster) command(ctx context.Context, args ...string) *exec.Cmd {
	program := exec.CommandContext(ctx, os.Args[0], args...)
	program.Env = append(os.Environ(), asProgram+"=cli", "KUBECONFIG="+c.kubeconfig, "COLUMNS=")
	return program
}

// run runs the program to its end.
func (c *cluster) run(t *testing.T, args ...string) outcome {
	t.Helper()
	program := c.command(t.Context(), args...)
	var stdout, stderr bytes.Buffer
	program.Stdout, program.Stderr = &stdout, &stderr
	err := program.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return outcome{program.ProcessState.ExitCode(), stdout.String(), stderr.String(), memoryOf(program.ProcessState)}
}

// expect runs the program, which has to end with this code.
func (c *cluster) expect(t *testing.T, code int, args ...string) outcome {
	t.Helper()
	o := c.run(t, args...)
	if o.code != code {
		t.Fatalf("%s ended with %d and not %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), o.code, code, o.stdout, o.stderr)
	}
	return o
}

// decode reads JSON or YAML of the program's output.
func decode(t *testing.T, o outcome, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(o.stdout), into); err != nil {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
}

// contains fails where a text lacks one of the words.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
}

// Package completion is the command that gives a plugin of kubectl its shell
// completion.
//
// kubectl completes a plugin by a second program, kubectl_complete-NAME on PATH
// (kubernetes/kubectl, pkg/cmd/plugin_completion.go), and krew installs exactly
// one. So the program writes the second one itself.
package completion

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
)

const (
	// program is what kubectl looks for on PATH.
	program = "kubectl-probeshift"
	// completer is what kubectl runs to complete it.
	completer = "kubectl_complete-probeshift"
)

// script asks the plugin, as kubectl finds it, for completions. Its second line
// tells our file from somebody else's.
const script = `#!/bin/sh
# Completes "kubectl probeshift"; written by "kubectl probeshift completion install".
exec kubectl-probeshift __complete "$@"
`

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "completion",
		Short: "Set up shell completion of kubectl probeshift",
		Long: `Set up shell completion of kubectl probeshift.

kubectl completes a plugin with the help of a second program on PATH, named
kubectl_complete-probeshift. Plugin managers install one program only, so the
plugin writes the other one itself. kubectl's own completion has to be set up in
your shell as well: see "kubectl completion --help".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(newInstall(streams))
	return command
}

func newInstall(streams genericiooptions.IOStreams) *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "install",
		Short: "Write kubectl_complete-probeshift beside this program",
		Long: `Write kubectl_complete-probeshift beside this program, or into --dir. A file of that
name that was not written by this command is left alone.`,
		Example: `  kubectl probeshift completion install

  # Into another directory of PATH
  kubectl probeshift completion install --dir ~/.local/bin`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				found, err := exec.LookPath(program)
				if err != nil {
					return fmt.Errorf("find %s on PATH: %w: name a directory of PATH by --dir", program, err)
				}
				dir = filepath.Dir(found)
			}
			path, err := install(dir)
			if err != nil {
				return err
			}
			s := screen.New(streams.Out, os.Getenv)
			s.Line("wrote " + path)
			if !onPath(dir, os.Getenv("PATH")) {
				s.Line("kubectl will not find it: " + dir + " is not in PATH")
			}
			return nil
		},
	}
	command.Flags().StringVar(&dir, "dir", "", "directory to write to, which has to be in PATH (default that of kubectl-probeshift)")
	_ = command.MarkFlagDirname("dir") // the only error is that of a flag that is not there
	return command
}

// install writes the program into dir and returns its path.
func install(dir string) (string, error) {
	path := filepath.Join(dir, completer)
	there, err := os.ReadFile(path)
	switch {
	case err == nil && !isOurs(there):
		return "", fmt.Errorf("%s is there and was not written by this command: remove it first, or choose another --dir", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("look at what is there: %w", err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil { //nolint:gosec // a program, for everybody
		return "", fmt.Errorf("write the completion program: %w: choose a directory that you may write to by --dir", err)
	}
	// An older file keeps its mode.
	if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // a program, for everybody
		return "", fmt.Errorf("make the completion program executable: %w", err)
	}
	return path, nil
}

// isOurs says whether a file was written by this command, of any version.
func isOurs(content []byte) bool {
	return bytes.Contains(content, []byte("kubectl probeshift completion install"))
}

// onPath says whether a directory is in PATH.
func onPath(dir, path string) bool {
	dir, err := filepath.Abs(dir)
	return err == nil && slices.ContainsFunc(filepath.SplitList(path), func(each string) bool {
		each, err := filepath.Abs(each)
		return err == nil && each == dir
	})
}

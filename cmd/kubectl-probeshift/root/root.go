// Package root is the command kubectl-probeshift, whole.
package root

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/audit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/completion"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/doctor"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/explain"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/verify"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/version"
)

// Run runs the command with these arguments and returns the exit code. An error
// is told on streams.ErrOut.
func Run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	command := New(streams) //nolint:contextcheck // commands take the context when they run
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	code := exit.Code(err)
	if code == exit.Error {
		fmt.Fprintln(streams.ErrOut, "error:", err)
	}
	return code
}

// suggestionDistance is how many letters a command may be away from a known one
// to be taken for a typing error of it.
const suggestionDistance = 2

// known refuses words that are no command, and names those that may be meant.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = suggestionDistance
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
		return fmt.Errorf("%w: did you mean %s?", err, strings.Join(meant, " or "))
	}
	return fmt.Errorf("%w: see --help", err)
}

// wrongFlag says where the flags are told.
func wrongFlag(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())
}

// New returns the command with all its commands.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:   "kubectl-probeshift",
		Short: "Move exec probes of grpc_health_probe to native gRPC probes",
		Long: `Move exec probes of grpc_health_probe to native gRPC probes: in manifests, or, with the
webhook, in Pods as they are created. All commands decide as the webhook does.

Exit codes: 0 nothing to do, or done; 1 error; 2 something was found: a probe that would
be rewritten (migrate --check, audit), a failed check (doctor), a disagreement (verify).`,
		Example: `  # What would the webhook do in this cluster?
  kubectl probeshift audit -A

  # Is the webhook at work?
  kubectl probeshift doctor`,
		// What users type, in usage and errors.
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl probeshift"},
		Args:              known,
		Version:           version.Read().Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	command.AddCommand(
		audit.New(streams),
		completion.New(streams),
		doctor.New(streams),
		explain.New(streams),
		migrate.New(streams),
		verify.New(streams),
		version.New(streams),
	)
	command.SetFlagErrorFunc(wrongFlag)
	command.SetHelpCommand(newHelp())
	setUsage(command)
	return command
}

// newHelp returns the command "help COMMAND", which does what --help does and so
// is not listed.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "Show the help of a command",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			return about.Help()
		},
	}
}

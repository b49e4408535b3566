// Package doctor is the command that says whether the webhook is at work in a
// cluster. The checks are package pkg/doctor's; here the facts are gathered and
// the results shown.
package doctor

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/access"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/doctor"
)

const long = `Say whether the webhook is at work in a cluster, and whether what it writes can work
there. Each check says what it looked at, its verdict (ok, failed, can't tell) and the
remedy.

Whether API servers reach and trust the webhook shows only in a Pod that is created. So
doctor creates a legacy Pod as a server-side dry run in a served namespace and looks for
the status annotation. Nothing is stored and no container runs, but it takes the
permission to create Pods; without it, or with --dry-run-pod=false, the plain checks remain.

Where discovery runs, doctor reads from the metrics of its Pods how many sidecars are
connected, by way of the API server (pods/proxy); without that permission it says so.

What may not be read makes a check "can't tell". Exit code 2: a check failed.`

const example = `  kubectl probeshift doctor

  # For a script
  kubectl probeshift doctor -o json

  # Without the dry run of a Pod
  kubectl probeshift doctor --dry-run-pod=false`

// options are the flags, as given.
type options struct {
	streams       genericiooptions.IOStreams
	access        *access.Access
	policy        policy.Flags
	format        output.Format
	configuration string
	dryRunPod     bool
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	o := &options{streams: streams}
	command := &cobra.Command{
		Use:               "doctor",
		Short:             "Say whether the webhook is at work in a cluster, and what to do where it is not",
		Long:              long,
		Example:           example,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.access = access.Add(command, access.WithoutNamespace)
	o.policy.Add(command)
	o.format.Add(command)
	command.Flags().StringVar(&o.configuration, "configuration", doctor.ConfigurationName, "name of the webhook's MutatingWebhookConfiguration")
	command.Flags().BoolVar(&o.dryRunPod, "dry-run-pod", true, "create a Pod as a server-side dry run to see whether the webhook answers")
	return command
}

// noArguments refuses them; cobra's own refusal takes them for commands.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("doctor: %q is no flag: doctor takes no arguments, and looks at the whole cluster", args[0])
	}
	return nil
}

// Report is what doctor writes as JSON and YAML.
type Report struct {
	Checks []doctor.Result `json:"checks"`
	// Failed counts the checks that failed.
	Failed int `json:"failed"`
	// Limits are what no check can see.
	Limits []string `json:"limits"`
}

func (o *options) run(ctx context.Context) error {
	rules, err := o.policy.Policy()
	if err != nil {
		return err
	}
	config, err := o.access.Config()
	if err != nil {
		return err
	}
	reader, err := newReader(config, o.streams.ErrOut)
	if err != nil {
		return err
	}
	// Without an API server there is nothing to be doctor of.
	if err := reader.reach(ctx); err != nil {
		return err
	}
	facts := &doctor.Facts{Now: time.Now(), ConfigurationName: o.configuration}
	reader.read(ctx, facts, rules)
	if o.dryRunPod {
		reader.tryCanary(ctx, facts)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	return o.tell(doctor.Examine(facts))
}

// tell writes the results and turns them into the exit code.
func (o *options) tell(results []doctor.Result) error {
	report := Report{Checks: results, Limits: doctor.Limits()}
	for i := range results {
		if results[i].Verdict == doctor.Failed {
			report.Failed++
		}
	}
	if err := o.format.Show(o.streams.Out, report, func() { show(screen.New(o.streams.Out, os.Getenv), report) }); err != nil {
		return err
	}
	if report.Failed > 0 {
		return exit.Finding(checks(report.Failed) + " failed")
	}
	return nil
}

// checks is a number of checks.
func checks(n int) string {
	if n == 1 {
		return "1 check"
	}
	return fmt.Sprintf("%d checks", n)
}

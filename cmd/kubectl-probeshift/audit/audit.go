// Package audit is the command that tells what the webhook would do with the
// Pods of a cluster. It reads Pods and the workloads behind them, and changes
// nothing.
package audit

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/access"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/survey"
)

const long = `Tell what the webhook would do with the Pods of a cluster: every workload whose probes
run grpc_health_probe, what becomes of each, and why. It reads only.

Pods are what is looked at, and of workloads without Pods (scaled to 0, or a CronJob
between runs) the template. A Pod that the webhook rewrote already counts as done. The
namespace's label does not matter here: it is what would be done if it was "enabled".

The flags of the decision are those of the webhook, which need to be the same for the
answer to be. Exit code 2: something would be rewritten.

Needs the permission to list Pods. With that to list Deployments, StatefulSets, DaemonSets
and CronJobs workloads without Pods are found too, with "get jobs" the Pods of a CronJob
are shown as its.`

const example = `  # The current namespace
  kubectl probeshift audit

  # The whole cluster, for a script
  kubectl probeshift audit -A -o json

  # If declared ports were not asked for
  kubectl probeshift audit -A --ports=any

  # One application
  kubectl probeshift audit -n shop -l app=payments`

// options are the flags, as given.
type options struct {
	streams          genericiooptions.IOStreams
	access           *access.Access
	scope            *access.Scope
	policy           policy.Flags
	format           output.Format
	webhookNamespace string
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	o := &options{streams: streams}
	command := &cobra.Command{
		Use:               "audit",
		Short:             "Tell what the webhook would do with the Pods of a cluster, and why",
		Long:              long,
		Example:           example,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.access = access.Add(command)
	o.scope = o.access.AddScope(command)
	o.policy.Add(command)
	o.format.Add(command)
	command.Flags().StringVar(&o.webhookNamespace, "webhook-namespace", "probeshift", "namespace of the webhook, which it never serves")
	return command
}

// noArguments refuses them; cobra's own refusal takes them for commands.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("audit: %q is no flag: audit takes no arguments, and a namespace is named by -n, such as -n %s", args[0], args[0])
	}
	return nil
}

func (o *options) run(ctx context.Context) error {
	rules, err := o.policy.Policy()
	if err != nil {
		return err
	}
	namespace, selector, err := o.scope.Where()
	if err != nil {
		return err
	}
	client, err := o.access.Client()
	if err != nil {
		return err
	}
	found := survey.New(survey.Options{
		Policy:      rules,
		FamilyOfPod: o.policy.PodIPFamily == "auto",
		Excluded:    []string{metav1.NamespaceSystem, "kube-node-lease", o.webhookNamespace},
		Resolve:     func(job survey.Owner) survey.Owner { return behindJob(ctx, client, job) },
	})
	progress := screen.NewProgress(o.streams.ErrOut, "Pods")
	err = survey.EachPod(ctx, client.CoreV1().Pods(namespace), selector, found.Add, progress.Set)
	progress.Done()
	if err != nil {
		return err
	}
	if err := access.CheckNamespace(ctx, client, namespace); err != nil {
		return err
	}
	notRead, err := addTemplates(ctx, client, namespace, selector, found)
	if err != nil {
		return err
	}
	report := found.Report()
	report.NotRead = notRead
	return o.tell(report)
}

// tell writes the report and turns it into the exit code.
func (o *options) tell(report survey.Report) error {
	err := o.format.Show(o.streams.Out, report, func() {
		show(screen.New(o.streams.Out, os.Getenv), report, o.scope.AllNamespaces())
	})
	if err != nil {
		return err
	}
	if report.Totals.WouldRewrite > 0 {
		return exit.Finding(fmt.Sprintf("%d probes would be rewritten", report.Totals.WouldRewrite))
	}
	return nil
}

// behindJob is the CronJob that made a Job, or the Job where none did or where
// that cannot be read.
func behindJob(ctx context.Context, client kubernetes.Interface, job survey.Owner) survey.Owner {
	there, err := client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if err != nil {
		return job
	}
	if c := metav1.GetControllerOfNoCopy(there); c != nil {
		return survey.Owner{Namespace: job.Namespace, Kind: c.Kind, Name: c.Name}
	}
	return job
}

// Package verify is the command that probes running Pods as the kubelet would
// and compares with what the kubelet made of the exec probe.
package verify

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/access"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/survey"
)

const long = `Probe running Pods as the kubelet would, several times, and compare with what the
kubelet made of their exec probes: agree, disagree or can't tell. It is the evidence to
have before a namespace is switched on. Only probes that would be rewritten, or are, are
looked at.

The kubelet probes from the node, which network policies admit and which is outside of
any mesh. From elsewhere an answer is evidence, and silence is not: a refused or timed-out
connection is "can't tell". With --from-node a Pod on the node's network is created on each
node, in the namespace that you name (Pod Security "privileged"), and deleted when it is
done, also on Ctrl-C. Its image is yours: it has to hold this program.

Exit code 2: something disagrees.

Needs the permission to list and get Pods; --from-node to create and delete Pods and to
read their logs in --helper-namespace.`

const example = `  # From here, where Pod addresses can be reached
  kubectl probeshift verify -n shop

  # Two Pods
  kubectl probeshift verify -n shop payments-0 payments-1

  # As the kubelet would, from the Pods' own nodes
  kubectl probeshift verify -n shop --from-node --helper-namespace node-tools \
    --helper-image registry.example/kubectl-probeshift:v1`

// options are the flags, as given.
type options struct {
	streams  genericiooptions.IOStreams
	access   *access.Access
	scope    *access.Scope
	policy   policy.Flags
	format   output.Format
	plan     kubeletprobe.Plan
	fromNode bool
	helper   helper
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	o := &options{streams: streams}
	command := &cobra.Command{
		Use:     "verify [POD...]",
		Short:   "Probe running Pods as the kubelet would, and compare with their readiness",
		Long:    long,
		Example: example,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.access = access.Add(command)
	command.ValidArgsFunction = o.access.Pods
	o.scope = o.access.AddScope(command)
	o.policy.Add(command)
	o.format.Add(command)
	fs := command.Flags()
	fs.IntVar(&o.plan.Attempts, "attempts", 3, "how often each probe is made")
	fs.DurationVar(&o.plan.Interval, "interval", time.Second, "time between two attempts")
	fs.IntVar(&o.plan.Concurrency, "concurrency", 32, "how many probes are made at once")
	fs.BoolVar(&o.fromNode, "from-node", false, "probe from Pods on the network of the nodes, as the kubelet does")
	o.helper.add(fs)
	_ = command.RegisterFlagCompletionFunc("helper-namespace", o.access.Namespaces) // the flag is there
	command.AddCommand(newDial(streams))
	return command
}

func (o *options) validate(pods []string) error {
	switch {
	case o.plan.Attempts < 1:
		return fmt.Errorf("--attempts=%d makes no probe: use at least 1", o.plan.Attempts)
	case o.plan.Interval < 0:
		return fmt.Errorf("--interval=%s is negative: use 0s for none", o.plan.Interval)
	case o.plan.Concurrency < 1:
		return fmt.Errorf("--concurrency=%d makes no probe: use at least 1", o.plan.Concurrency)
	case len(pods) > 0 && o.scope.AllNamespaces():
		return fmt.Errorf("names of Pods go with one namespace: leave -A or the names away")
	}
	return o.helper.validate(o.fromNode)
}

func (o *options) run(ctx context.Context, pods []string) error {
	if err := o.validate(pods); err != nil {
		return err
	}
	client, err := o.access.Client()
	if err != nil {
		return err
	}
	found, err := o.find(ctx, client, pods)
	if err != nil {
		return err
	}
	o.plan.Version = kubeletVersion(client)
	if o.fromNode {
		err = o.probeFromNodes(ctx, client, found.all)
	} else {
		o.probeFromHere(ctx, found.all)
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if err := lookAgain(ctx, client, found.all, time.Now); err != nil {
		return err
	}
	return o.tell(newReport(found, o.fromNode))
}

// find finds what is to be probed.
func (o *options) find(ctx context.Context, client kubernetes.Interface, pods []string) (*subjects, error) {
	rules, err := o.policy.Policy()
	if err != nil {
		return nil, err
	}
	namespace, selector, err := o.scope.Where()
	if err != nil {
		return nil, err
	}
	found := &subjects{now: time.Now(), survey: survey.New(survey.Options{Policy: rules, FamilyOfPod: o.policy.PodIPFamily == "auto"})}
	if len(pods) > 0 {
		for _, name := range pods {
			pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, fmt.Errorf("read Pod %s: %w", name, err)
			}
			found.add(pod)
		}
		return found, nil
	}
	progress := screen.NewProgress(o.streams.ErrOut, "Pods")
	defer progress.Done()
	if err := survey.EachPod(ctx, client.CoreV1().Pods(namespace), selector, found.add, progress.Set); err != nil {
		return nil, err
	}
	return found, access.CheckNamespace(ctx, client, namespace)
}

// probeFromHere probes from where this program runs.
func (o *options) probeFromHere(ctx context.Context, all []*subject) {
	progress := screen.NewProgress(o.streams.ErrOut, "probes")
	defer progress.Done()
	targets := make([]kubeletprobe.Target, len(all))
	for i, s := range all {
		targets[i] = s.target
	}
	for i, answers := range o.plan.Run(ctx, targets, func(done int) { progress.Set(done, len(all)) }) {
		all[i].answers = answers
	}
}

// tell writes the report and turns it into the exit code.
func (o *options) tell(report Report) error {
	err := o.format.Show(o.streams.Out, report, func() {
		show(screen.New(o.streams.Out, os.Getenv), report, o.scope.AllNamespaces())
	})
	if err != nil {
		return err
	}
	if report.Disagree > 0 {
		return exit.Finding(fmt.Sprintf("%d probes disagree", report.Disagree))
	}
	return nil
}

// kubeletVersion is the version that the cluster's kubelets are likely to name
// in their user-agent, as MAJOR.MINOR.
func kubeletVersion(client kubernetes.Interface) string {
	const unknown = "1.37"
	if version, err := client.Discovery().ServerVersion(); err == nil && version.Major != "" {
		return version.Major + "." + version.Minor
	}
	return unknown
}

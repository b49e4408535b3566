package explain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// options are the flags, as given.
type options struct {
	filename       string
	env            []string
	hostNetwork    bool
	timeoutSeconds int32
	paths          []string
	policy         policy.Flags
	format         output.Format
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:   "explain -f FILE | -- COMMAND...",
		Short: "Tell step by step how a probe is read",
		Long: `Tell step by step how the command of a probe is read, with the rule at each step, and what
it becomes or what stops it.

With -f the exec probes of a manifest are explained. Without, the command is what stands
behind the two dashes, word by word as in a manifest; what only a manifest would show is
taken as said by --env and --host-network, and its port as declared.`,
		Example: `  kubectl probeshift explain -- grpc_health_probe -addr=:9000 -rpc-timeout=3s

  # A shell and a variable of the container
  kubectl probeshift explain --env PORT=9000 -- sh -c 'exec grpc_health_probe -addr=:$PORT'

  kubectl probeshift explain -f examples/shell-wrapper.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return o.run(streams, args)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&o.filename, "filename", "f", "", "manifest whose probes are explained, or - for stdin")
	flags.StringArrayVar(&o.env, "env", nil, "NAME=VALUE of the container's env, for a command; repeatable")
	flags.BoolVar(&o.hostNetwork, "host-network", false, "the Pod of the command shares the network of its node")
	flags.Int32Var(&o.timeoutSeconds, "timeout-seconds", 1, "timeoutSeconds of the command's probe")
	flags.StringArrayVar(&o.paths, "path", nil, "where a kind holds its Pod template: [GROUP/]KIND=FIELD.FIELD; repeatable")
	o.policy.Add(command)
	o.format.Add(command)
	command.SetFlagErrorFunc(wrongFlag)
	return command
}

// wrongFlag says how a command's own flags are kept from being taken for ours.
func wrongFlag(command *cobra.Command, err error) error {
	if _, unknown := errors.AsType[*pflag.NotExistError](err); unknown {
		err = fmt.Errorf("%w: put -- before the command that is explained, as in -- grpc_health_probe -addr=:9000", err)
	}
	if command.HasParent() {
		return command.Parent().FlagErrorFunc()(command, err)
	}
	return err
}

func (o *options) run(streams genericiooptions.IOStreams, command []string) error {
	allowed, err := o.policy.Policy()
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	var probes []Explanation
	switch {
	case (o.filename == "") == (len(command) == 0):
		return errors.New("explain: name a manifest with -f, or write a command behind two dashes: -- grpc_health_probe -addr=:9000")
	case o.filename != "":
		probes, err = o.ofFile(streams, allowed)
	default:
		probes, err = o.ofCommand(command, allowed)
	}
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if !o.format.Table() {
		return o.format.Write(streams.Out, map[string]any{"probes": probes})
	}
	s := screen.New(streams.Out, os.Getenv)
	for i, p := range probes {
		if i > 0 {
			s.Line("")
		}
		p.show(s)
	}
	return nil
}

// ofFile explains the probes of a manifest.
func (o *options) ofFile(streams genericiooptions.IOStreams, allowed mutate.Policy) ([]Explanation, error) {
	edits := manifest.Options{Policy: allowed, Template: manifest.IsTemplate(o.filename)}
	for _, text := range o.paths {
		path, err := manifest.ParsePath(text)
		if err != nil {
			return nil, err
		}
		edits.Paths = append(edits.Paths, path)
	}
	content, err := read(o.filename, streams.In)
	if err != nil {
		return nil, err
	}
	for _, path := range edits.Paths {
		if !path.MayMatch(content) {
			screen.New(streams.ErrOut, os.Getenv).Wrapped("warning: ", path.Unmatched())
		}
	}
	probes, unread := manifest.Probes(content, edits)
	var all []Explanation
	for _, p := range probes {
		all = append(all, explain(place(o.filename, p.Finding), p))
	}
	for _, f := range unread {
		all = append(all, Explanation{Place: place(o.filename, f), Command: f.Command, Result: result{
			Outcome: f.Outcome, Reason: f.Reason, Sentence: f.Sentence, Detail: f.Detail, Remedy: f.Remedy, Suggestion: f.Suggestion,
		}})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no exec probe of grpc_health_probe: name another file, or the tool's name with --tool-name", o.filename)
	}
	return all, nil
}

func read(filename string, stdin io.Reader) ([]byte, error) {
	if filename == "-" {
		content, err := io.ReadAll(stdin)
		if err == nil && manifest.Empty(content) {
			err = errors.New("stdin is empty: the command before the pipe may have failed")
		}
		return content, err
	}
	content, err := os.ReadFile(filename)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file or directory", filename)
	}
	if info, statErr := os.Stat(filename); err != nil && statErr == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory: name one of its files, or use migrate -f %s, which reads all of them and changes nothing", filename, filename)
	}
	return content, err
}

// place names a probe of a file.
func place(filename string, f manifest.Finding) string {
	words := []string{filename + ":"}
	if f.Line > 0 {
		words[0] = fmt.Sprintf("%s:%d:%d:", filename, f.Line, max(1, f.Column))
	}
	for _, word := range []string{strings.Trim(f.Kind+"/"+f.Name, "/"), f.Container, string(f.Probe)} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// ofCommand explains a command as the liveness probe of a Pod that declares the
// port.
func (o *options) ofCommand(command []string, allowed mutate.Policy) ([]Explanation, error) {
	container := corev1.Container{Name: "server"}
	for _, variable := range o.env {
		name, value, ok := strings.Cut(variable, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env=%q is no variable: write NAME=VALUE", variable)
		}
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
	}
	container.LivenessProbe = &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}},
		TimeoutSeconds: o.timeoutSeconds,
	}
	return []Explanation{explainAlone(container, o.hostNetwork, allowed)}, nil
}

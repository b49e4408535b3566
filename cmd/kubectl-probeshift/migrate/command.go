package migrate

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/pkg/manifest"
)

// options are the flags, as given.
type options struct {
	filenames []string
	write     bool
	check     bool
	paths     []string
	policy    policy.Flags
	format    output.Format
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:   "migrate -f FILE|DIR|-",
		Short: "Rewrite exec probes in manifests, and nothing else in them",
		Long: `Rewrite exec probes of grpc_health_probe in manifests into native gRPC probes, as the webhook
would in Pods. The text is edited in place: comments, blank lines, order, quotes and
indentation of everything else stay. Without --write or --check a diff is printed and no
file changes; the findings go to stderr then, so that the diff can be piped.

Directories are read with what is below them: *.yaml, *.yml, *.json, and templates (*.tpl,
*.tmpl, *.gotmpl, *.j2). Hidden directories are left out. Of a kustomization its local
resources and patches are read too, and probes that a kustomization anywhere in the same git
repository patches are left. Templates are never edited: what could stand in the place of a
probe is suggested.`,
		Example: `  # What would change?
  kubectl probeshift migrate -f examples/

  # Change it
  kubectl probeshift migrate -f deploy/ --write

  # In CI: exit code 2 while a probe would be rewritten
  kubectl probeshift migrate -f deploy/ --check

  # A kind of your own that holds a Pod template
  kubectl probeshift migrate -f deploy/ --path 'Elasticsearch=spec.nodeSets[].podTemplate'

  # As a filter
  kubectl get deployment cart -o yaml | kubectl probeshift migrate -f - --write`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("migrate: %q is no flag: name files with -f, such as -f %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := o.run(streams)
			if err != nil {
				return err
			}
			return run.do(cmd.Context())
		},
	}
	fs := command.Flags()
	fs.StringArrayVarP(&o.filenames, "filename", "f", nil, "file, directory, kustomization directory, or - for stdin; repeatable")
	fs.BoolVar(&o.write, "write", false, "change the files; of stdin, write the result to stdout")
	fs.BoolVar(&o.check, "check", false, "change nothing; exit with code 2 while a probe would be rewritten, with 1 when a file that names the tool does not parse")
	fs.StringArrayVar(&o.paths, "path", nil, "where a kind holds its Pod template: [GROUP/]KIND=FIELD.FIELD, [] behind a list; repeatable")
	o.policy.Add(command)
	o.format.Add(command)
	return command
}

// run is what the flags mean; its error names every one that is wrong.
func (o *options) run(streams genericiooptions.IOStreams) (*run, error) {
	var errs []error
	if len(o.filenames) == 0 {
		errs = append(errs, errors.New("there is nothing to read: name files or directories with -f, or - for stdin"))
	}
	if o.write && o.check {
		errs = append(errs, errors.New("--write and --check exclude each other: use one of them"))
	}
	allowed, err := o.policy.Policy()
	errs = append(errs, err)
	edits := manifest.Options{Policy: allowed}
	for _, text := range o.paths {
		path, err := manifest.ParsePath(text)
		errs = append(errs, err)
		edits.Paths = append(edits.Paths, path)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	r := &run{streams: streams, filenames: o.filenames, edits: edits, format: o.format, files: osFiles{}, getenv: os.Getenv}
	switch {
	case o.write:
		r.mode = write
	case o.check:
		r.mode = check
	}
	return r, nil
}

// Package version is the command that tells what this program is.
package version

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
)

// Info is what the program knows of itself.
type Info struct {
	// Version is the module version that the Go toolchain stamped, which names
	// the commit where there is no tag.
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read reads what the Go toolchain stamped.
func Read() Info {
	info := Info{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		info.Version = build.Main.Version
	}
	return info
}

// New returns the command.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	var format output.Format
	command := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Example: `  kubectl probeshift version

  # For scripts
  kubectl probeshift version -o json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			info := Read()
			if !format.Table() {
				return format.Write(streams.Out, info)
			}
			screen.New(streams.Out, os.Getenv).Line("kubectl-probeshift " + info.Version + " (" + info.Go + ", " + info.Platform + ")")
			return nil
		},
	}
	format.Add(command)
	return command
}

package verify

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
)

// order is what a helper Pod is told to do, in one argument.
type order struct {
	Plan    kubeletprobe.Plan     `json:"plan"`
	Targets []kubeletprobe.Target `json:"targets"`
}

// newDial returns the command that a helper Pod runs: it probes and writes the
// answers as one line of JSON.
func newDial(streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:    "dial ORDER",
		Short:  "Probe what verify, which runs this in a Pod, says",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var o order
			if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
				return fmt.Errorf("read the order: %w", err)
			}
			answers := o.Plan.Run(cmd.Context(), o.Targets, func(int) {})
			if err := cmd.Context().Err(); err != nil {
				return fmt.Errorf("interrupted: %w", err)
			}
			return json.NewEncoder(streams.Out).Encode(answers)
		},
	}
}

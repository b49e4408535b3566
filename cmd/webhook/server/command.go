package server

import (
	"context"
	"runtime/debug"

	"github.com/spf13/cobra"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// NewCommand returns the webhook's command. The environment is read for
// POD_IP and POD_NAMESPACE alone.
func NewCommand(getenv func(string) string) *cobra.Command {
	options := NewOptions(getenv)
	command := &cobra.Command{
		Use: "webhook",
		Long: `Serves a mutating admission webhook that turns exec probes of grpc_health_probe into
native gRPC probes where the kubelet's verdict is the same, and says why where it is not.
Pods that ask for it get a sidecar that balances their gRPC requests. With --run=discovery
the process reviews no Pods, but tells those sidecars the endpoints of Services.

POST /mutate-v1-pod rewrites, POST /audit-v1-pod only reports. SIGTERM starts a drain that
loses no request; a second one ends the process at once.

Annotations of Pods for the sidecar, ` + sidecar.Prefix + `...:

` + sidecar.HelpTable(),
		Version:       version(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), options)
		},
	}
	sets := options.Flags()
	for _, set := range sets.FlagSets {
		command.Flags().AddFlagSet(set)
	}
	command.InitDefaultHelpFlag()
	command.InitDefaultVersionFlag()
	general := sets.FlagSet("general")
	general.AddFlag(command.Flags().Lookup("help"))
	general.AddFlag(command.Flags().Lookup("version"))
	setHelp(command, sets)
	return command
}

func run(ctx context.Context, options *Options) error {
	config, err := LoadConfig(options, ctrlmetrics.Registry)
	if err != nil {
		return err
	}
	adoptLogs(config.Log)
	server, err := Setup(config)
	if err != nil {
		return err
	}
	return server.Start(ctx)
}

// version is the module version that the Go toolchain stamped, which names
// the commit where there is no tag.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

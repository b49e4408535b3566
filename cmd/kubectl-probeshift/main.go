// Command kubectl-probeshift moves exec probes of grpc_health_probe to native
// gRPC probes in manifests, and tells what the webhook would do, does and needs
// in a cluster. As a plugin of kubectl it is called as "kubectl probeshift".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal starts the clean-up, a second one ends the process.
	context.AfterFunc(ctx, stop)
	// What libraries would log is not for the user of a command.
	klog.SetLogger(logr.Discard())

	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(root.Run(ctx, streams, os.Args[1:]))
}

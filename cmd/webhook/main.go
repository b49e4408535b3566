// Command webhook serves the mutating admission webhook that turns exec probes
// of grpc_health_probe into native gRPC probes and injects the load-balancing
// sidecar, or with --run=discovery tells those sidecars the endpoints of Services.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/probeshift/probeshift/cmd/webhook/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal starts the drain, a second one ends the process.
	context.AfterFunc(ctx, stop)
	if err := server.NewCommand(os.Getenv).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1)
	}
}

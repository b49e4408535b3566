package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `lb shows the load-balancing sidecar at work with the real Envoy.

  lb --envoy PATH --webhook PATH [--short] [--only GROUP,...]
                                                 beds on this machine
  lb cluster [--manifests DIR] [--dns-cache 30s] on the cluster of KUBECONFIG

The first needs Linux, root, ip and iptables, python3 with pip, and the API
server in KUBEBUILDER_ASSETS; the second is explained by lb cluster --help. The
Pods of the cluster run lb as well:

  lb backend --address IP    a server
  lb client --target NAME    a client that says every 2 s what it saw
  lb server --name NAME      a server that says which requests it began
  lb signal --signal SIGTERM a signal for another process of the Pod

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "lb:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	envoy string
	// python is the folder that holds Python's grpc.
	python string
	// webhook is the product's program, for discovery.
	webhook string
	short   bool
}

// run does what the command line asks for: everything, or one of the parts that
// this program starts itself as.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case backendCommand:
			return runBackend(ctx, args[1:])
		case clientCommand:
			return runClient(ctx, args[1:], out)
		case serverCommand:
			return runServer(ctx, args[1:], out)
		case signalCommand:
			return runSignal(ctx, args[1:])
		case clusterCommand:
			return runCluster(ctx, args[1:], out)
		}
	}
	var o options
	flags := flag.NewFlagSet("lb", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.envoy, "envoy", "", "the `program` Envoy (required)")
	flags.StringVar(&o.python, "python", "", "a `folder` with Python's grpc; fetched into the user's cache when empty")
	flags.StringVar(&o.webhook, "webhook", "", "the `program` webhook; the groups of discovery run it")
	flags.BoolVar(&o.short, "short", false, "about three minutes: fewer rows, shorter ones, several groups at a time; one that missed a row is shown again alone")
	only := flags.String("only", "", "comma-separated `groups` of rows; all when empty")
	inside := flags.String("bed", "", "run this `group` here; used by the program itself, inside a bed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.envoy == "" {
		return errors.New("--envoy is missing: run make lb")
	}
	if *inside != "" {
		return runBed(ctx, *inside, o, out)
	}
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	return show(ctx, o, names, out)
}

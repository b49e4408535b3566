package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const usage = `bench shows what the webhook costs beside a floor, a textbook webhook and a policy in CEL.

  bench --webhook PATH [--short]              print the tables
  bench serve-floor --cert-dir D --port N     run the floor alone
  bench serve-textbook --cert-dir D --port N  run the textbook webhook alone

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log.SetLogger(logr.Discard())
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what the command line asks for.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve-floor":
			return runServer(ctx, args, serveFloor)
		case "serve-textbook":
			return runServer(ctx, args, serveTextbook)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	webhook := flags.String("webhook", "", "the webhook's `program`, as make build makes it (required)")
	short := flags.Bool("short", false, "half a minute instead of ten: right answers, rough figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *webhook == "" {
		return errors.New("--webhook is missing: run make bench, or make build and give --webhook bin/webhook")
	}
	plan := fullPlan()
	if *short {
		plan = shortPlan()
	}
	return bench(ctx, *webhook, plan, out)
}

// runServer runs one of the servers to compare with until ctx ends.
func runServer(ctx context.Context, args []string, serve func(ctx context.Context, certDir string, port int) error) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	certDir := flags.String("cert-dir", "", "the `directory` of tls.crt and tls.key")
	port := flags.Int("port", 0, "the `port` on 127.0.0.1")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return serve(ctx, *certDir, *port)
}

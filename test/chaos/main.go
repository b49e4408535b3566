package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// options are the flags.
type options struct {
	webhook, manifests string
	rounds             int
	seed               uint64
}

func main() {
	var o options
	var short bool
	flag.StringVar(&o.webhook, "webhook", "bin/webhook", "the webhook's binary, as make build leaves it")
	flag.StringVar(&o.manifests, "manifests", "deploy/webhook", "directory of the manifests")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each event happens")
	flag.BoolVar(&short, "short", false, "let each event happen once")
	flag.Uint64Var(&o.seed, "seed", 0, "which replica is hit and when; 0 takes a seed from the clock and prints it")
	flag.Parse()
	if short {
		o.rounds = 1
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// run is the whole of it. On success nothing is left behind, on failure the
// logs.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	logs, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(logs)
			return
		}
		err = fmt.Errorf("%w\nseed %d; the logs are in %s", err, o.seed, logs)
	}()
	fmt.Fprintf(out, "seed %d, %d round(s)\n", o.seed, o.rounds)

	s, err := setScene(ctx, o, logs)
	if err != nil {
		return errors.Join(err, s.close())
	}
	random := rand.New(rand.NewPCG(o.seed, 0))
	begin := time.Now()
	rows, err := s.play(ctx, out, o.rounds, random)
	took := time.Since(begin)
	if err := errors.Join(err, s.checkProtocol(ctx), s.close()); err != nil {
		return err
	}
	printTable(out, rows, took)
	fmt.Fprintln(out, s.forwarder.protocols())
	return verdict(rows)
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	webhook := flag.String("webhook", "bin/webhook", "the webhook's binary, as make build leaves it")
	short := flag.Bool("short", false, "fewer sidecars and changes: right answers, rough figures")
	flag.Parse()
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	p := fullPlan()
	if *short {
		p = shortPlan()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if flag.Arg(0) == floorCommand {
		err = serveFloor(ctx, os.Stdout)
	} else {
		err = run(ctx, os.Stdout, *webhook, p)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "swarm:", err)
		os.Exit(1)
	}
}

// plan is how much of everything there is.
type plan struct {
	// services is how many Services there are beside the large one, of 100
	// endpoints each, which has 500.
	services int
	// few and many are the two sizes of a swarm.
	few, many int
	// changes is how many changes a latency is taken of.
	changes int
	// rollout is how many sidecars see a rollout of the large Service, of which
	// step Pods are replaced every pause.
	rollout, step int
	pause         time.Duration
	// age is the age of a connection where streams are moved by it.
	age time.Duration
	// attack is how long the hostile clients go on, reviews how long admission is
	// measured for.
	attack, reviews time.Duration
}

func fullPlan() plan {
	return plan{
		services: 95, few: 200, many: 2000, changes: 100, rollout: 500, step: 10, pause: 200 * time.Millisecond,
		age: 10 * time.Second, attack: 15 * time.Second, reviews: 15 * time.Second,
	}
}

func shortPlan() plan {
	return plan{
		services: 15, few: 50, many: 200, changes: 10, rollout: 100, step: 50, pause: 200 * time.Millisecond,
		age: 2 * time.Second, attack: 2 * time.Second, reviews: 2 * time.Second,
	}
}

// run plays all scenes and prints the table.
func run(ctx context.Context, out io.Writer, webhook string, p plan) (err error) {
	dir, err := os.MkdirTemp("", "probeshift-swarm-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	fmt.Fprintf(out, "%d CPUs for all of it, %s\n", runtime.NumCPU(), runtime.Version())
	c, err := newCluster(ctx, dir, p.services)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	s := &scene{plan: p, cluster: c, webhook: webhook, dir: dir, out: out, table: &table{}}
	for _, play := range []func(context.Context) error{s.few, s.many, s.aged, s.attacked, s.together} {
		if err := play(ctx); err != nil {
			return errors.Join(err, s.table.print(out))
		}
	}
	if err := s.table.print(out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", time.Since(begin).Round(time.Second))
	return s.table.verdict()
}

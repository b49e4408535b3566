// Command demo shows the webhook at work. It starts a real API server and the
// real webhook beside it, creates the Pods of the legacy manifests in examples/,
// and shows what became of each probe. No controller and no kubelet runs there:
// the demo makes the Pods itself, as a controller would, and they stay as they
// were admitted.
//
// It ends with status 1 when anything is not as examples/expected.yaml says.
// On a terminal everything then stays up, to be tried with kubectl, until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	binary := flag.String("webhook", "bin/webhook", "the webhook's binary, as make build leaves it")
	examples := flag.String("examples", "examples", "directory of the manifests and of expected.yaml")
	flag.Parse()

	// What libraries would log has no place between the lines of the demo.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	// Ctrl-C, kill, a closed terminal and a closed pipe end in the same clean-up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, newScreen(os.Stdin, os.Stdout, os.Getenv), *binary, *examples)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is the whole demo; when it returns nothing is left behind.
func run(ctx context.Context, screen *screen, binary, examplesDir string) (err error) {
	examples, err := readExamples(os.DirFS(examplesDir))
	if err != nil {
		return fmt.Errorf("directory %s (another one is given by --examples): %w", examplesDir, err)
	}
	cluster := &cluster{}
	defer func() { err = errors.Join(err, cluster.stop()) }()
	if err := cluster.start(ctx, screen, binary); err != nil {
		return err
	}

	tally := tally{}
	for _, e := range examples {
		admitted, warnings, err := cluster.create(ctx, e.pod)
		if err != nil {
			return fmt.Errorf("creating the Pod of %s: %w", e.File, err)
		}
		changes := compare(e.pod, admitted)
		screen.pod(examplesDir, e.File, admitted.Name, changes, warnings)
		tally.add(changes, e.unexpected(changes, warnings))
	}
	screen.summary(tally)
	if screen.interactive {
		screen.tryIt(cluster, examplesDir)
		<-ctx.Done()
		screen.line("\nStopping.")
	}
	return tally.err()
}

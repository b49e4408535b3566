package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	base := flag.String("manifests", "deploy/webhook", "directory of the manifests")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: e2e [--manifests=DIR] [life|kubelet|tls]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *base, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

// run takes the steps in their order and ends at the first that fails. What is
// there then stays, to be looked at.
func run(ctx context.Context, base string, arguments []string) error {
	if len(arguments) == 0 {
		arguments = []string{"life"}
	}
	work, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover in the temporary directory harms nobody
	l, err := newLife(base, work)
	if err != nil {
		return err
	}
	steps, err := l.stepsOf(arguments[0])
	if err != nil {
		return err
	}
	begin := time.Now()
	for _, step := range steps {
		fmt.Fprintf(l.screen, "\n# %s\n", step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	fmt.Fprintf(l.screen, "\nall %d steps passed in %s\n", len(steps), time.Since(begin).Round(time.Second))
	return nil
}

// stepsOf are the steps that prove what was named.
func (l *life) stepsOf(proof string) ([]step, error) {
	switch proof {
	case "life":
		l.namespaces = []string{enabledNamespace, auditNamespace}
		return l.steps(), nil
	case "kubelet":
		l.namespaces = []string{enabledNamespace, legacyNamespace}
		return (&comparison{life: l}).steps(), nil
	case "tls":
		l.namespaces = []string{enabledNamespace}
		return (&tlsProbes{life: l}).steps(), nil
	}
	return nil, fmt.Errorf("%q is none of life, kubelet and tls", proof)
}

// newLife reads the environment.
func newLife(base, work string) (*life, error) {
	kubeconfig := os.Getenv("KUBECONFIG")
	l := &life{screen: os.Stdout, base: base, work: work, image: os.Getenv("IMAGE"), agnhost: os.Getenv("AGNHOST_IMAGE")}
	switch {
	case kubeconfig == "":
		return nil, errors.New("KUBECONFIG is not set: name the kubeconfig of a cluster that may be changed")
	case l.agnhost == "":
		return nil, errors.New("AGNHOST_IMAGE is not set: name an image with agnhost as entrypoint and /bin/grpc_health_probe")
	}
	if _, err := os.Stat(filepath.Join(base, "kustomization.yaml")); err != nil {
		return nil, fmt.Errorf("%w (another directory is given by --manifests)", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // no limit of the client's own
	config.WarningHandler = rest.NoWarnings{}
	if l.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	return l, nil
}

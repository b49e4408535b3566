//go:build linux

package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
	"github.com/probeshift/probeshift/cmd/webhook/server"
	"github.com/probeshift/probeshift/test/apiserver"
)

// asProgram is the environment variable that makes the test binary be another
// program, in a process of its own: "cli" or "webhook".
const asProgram = "PROBESHIFT_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
		os.Exit(m.Run())
	case "cli":
		klog.SetLogger(logr.Discard())
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(root.Run(ctx, genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:]))
	case "webhook":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := server.NewCommand(os.Getenv).ExecuteContext(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "webhook:", err)
			os.Exit(1) //nolint:gocritic // what is deferred ends with the process
		}
	}
}

// cluster is a running API server.
type cluster struct {
	config     *rest.Config
	client     kubernetes.Interface
	kubeconfig string
}

// startCluster starts an API server that ends with the test.
func startCluster(t *testing.T, options apiserver.Options) *cluster {
	t.Helper()
	started, err := apiserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := started.WriteKubeconfig(c.kubeconfig); err != nil {
		t.Fatal(err)
	}
	c.config = rest.CopyConfig(started.Config)
	c.config.QPS = -1 // no limit of the client's own
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatal(err)
	}
	return c
}

// The scenes share an API server, which takes seconds to start. Each has
// namespaces of its own, or puts back what it changed.
func TestWithAnAPIServer(t *testing.T) {
	c := startCluster(t, apiserver.Options{})
	for _, scene := range []struct {
		name string
		play func(*testing.T, *cluster)
	}{
		{"audit tells what becomes of each probe", auditTells},
		{"audit needs to list Pods alone", auditWithoutRights},
		{"audit is read on terminals of 80 and of 200 columns", auditOnTerminals},
		{"audit counts what the webhook rewrote as done", auditAfterTheWebhook},
		{"verify compares with readiness", verifyCompares},
		{"verify probes from the node, and leaves no Pod behind", verifyFromNode},
		{"verify deletes its Pod on Ctrl-C", verifyInterrupted},
		{"doctor finds nothing wrong where nothing is", doctorIsContent},
		{"doctor names each thing that is wrong", doctorFails},
		{"doctor looks at what load-balanced Pods dial", doctorOnUpstreams},
		{"doctor looks at who follows EndpointSlices", doctorOnDiscovery},
		{"doctor tells what it may not read", doctorWithoutRights},
		{"namespaces and contexts are completed", completes},
		{"examples of --help run", examplesRun},
		{"audit looks at 5,000 Pods in the memory of 500", auditOfManyPods},
	} {
		t.Run(scene.name, func(t *testing.T) { scene.play(t, c) })
	}
}

// Package access is how commands reach a cluster: kubectl's own flags, and a
// client made from them.
package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// Annotation marks the flags that say how the cluster is reached, so that
	// help shows them apart.
	Annotation = "probeshift.dev/cluster-flag"

	// qps and burst limit the client's own requests a second; kubectl's limits.
	qps, burst = 50, 300

	// nobody is the API server that client-go takes where none is configured.
	nobody = "http://localhost:8080"
)

// Access is kubectl's flags, as given.
type Access struct {
	flags *genericclioptions.ConfigFlags
}

// Option changes which flags there are.
type Option func(*genericclioptions.ConfigFlags)

// WithoutNamespace leaves --namespace away, for commands that look at a whole
// cluster.
func WithoutNamespace(flags *genericclioptions.ConfigFlags) { flags.Namespace = nil }

// Add adds kubectl's flags to a command, completed from the kubeconfig and the
// cluster.
func Add(command *cobra.Command, options ...Option) *Access {
	a := &Access{flags: genericclioptions.NewConfigFlags(true)}
	a.flags.CacheDir = nil // discovery is not used
	for _, option := range options {
		option(a.flags)
	}
	var ours pflag.FlagSet
	a.flags.AddFlags(&ours)
	ours.VisitAll(func(f *pflag.Flag) {
		f.Annotations = map[string][]string{Annotation: nil}
		command.Flags().AddFlag(f)
	})
	a.complete(command)
	return a
}

// Config returns how the API server is reached.
func (a *Access) Config() (*rest.Config, error) {
	config, err := a.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	if raw, err := a.flags.ToRawKubeConfigLoader().RawConfig(); err == nil && len(raw.Clusters) == 0 && config.Host == nobody {
		return nil, errors.New("no cluster is configured: set KUBECONFIG, or name one by --kubeconfig, or --server")
	}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = qps, burst
	config.UserAgent = "kubectl-probeshift"
	// Pods are many, and decoding them from JSON takes several times as long.
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	// Warnings are for those who write; where one matters it is read on purpose.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	return config, nil
}

// Client returns a client of the API server.
func (a *Access) Client() (kubernetes.Interface, error) {
	config, err := a.Config()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return client, nil
}

// Namespace is what --namespace or the kubeconfig's context names.
func (a *Access) Namespace() (string, error) {
	namespace, _, err := a.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("load the kubeconfig: %w", err)
	}
	return namespace, nil
}

// CheckNamespace returns an error where a namespace does not exist, in which the API
// server lists nothing without a word. Whoever may not read namespaces is believed.
func CheckNamespace(ctx context.Context, client kubernetes.Interface, namespace string) error {
	if namespace == metav1.NamespaceAll {
		return nil
	}
	_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no namespace %q: name another with -n, or look at all of them with -A", namespace)
	}
	return nil
}

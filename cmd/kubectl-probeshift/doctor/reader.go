package doctor

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/doctor"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/survey"
)

// reader reads the facts from the API server.
type reader struct {
	client kubernetes.Interface
	// heard collects the warnings that creations come back with.
	heard  *warnings
	errOut io.Writer
}

func newReader(config *rest.Config, errOut io.Writer) (*reader, error) {
	heard := &warnings{}
	config = rest.CopyConfig(config)
	config.WarningHandlerWithContext = heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &reader{client: client, heard: heard, errOut: errOut}, nil
}

// reach says whether the API server answers at all.
func (r *reader) reach(ctx context.Context) error {
	_, err := r.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 1})
	if err == nil || apierrors.ReasonForError(err) != metav1.StatusReasonUnknown {
		return nil // an answer, be it a refusal
	}
	return fmt.Errorf("reach the API server: %w", err)
}

// read reads everything but the canary. What cannot be read stands beside the
// value.
func (r *reader) read(ctx context.Context, f *doctor.Facts, policy mutate.Policy) {
	r.readWebhook(ctx, f)
	namespaces, err := r.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if f.Namespaces.Err = err; err == nil {
		f.Namespaces.Value = namespaces.Items
	}
	nodes, err := r.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if f.Nodes.Err = err; err == nil {
		f.Nodes.Value = nodes.Items
	}
	version, err := r.client.Discovery().ServerVersion()
	if f.ServerVersion.Err = err; err == nil {
		f.ServerVersion.Value = version.GitVersion
	}
	pods := f.NewPods(policy)
	progress := screen.NewProgress(r.errOut, "Pods")
	f.Pods.Value = pods
	f.Pods.Err = survey.EachPod(ctx, r.client.CoreV1().Pods(metav1.NamespaceAll), "", pods.Add, progress.Set)
	progress.Done()
	r.readServices(ctx, f)
	r.readDiscovery(ctx, f)
	r.readDNS(ctx, f)
}

// readServices reads the Services that load-balanced Pods name.
func (r *reader) readServices(ctx context.Context, f *doctor.Facts) {
	f.Services.Value = map[doctor.ServiceName]*corev1.Service{}
	for _, name := range f.Pods.Value.Backends() {
		service, err := r.client.CoreV1().Services(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			f.Services.Value[name] = service
		case !apierrors.IsNotFound(err):
			f.Services.Err = err
			return
		}
	}
}

// readDNS reads the Corefiles of the cluster's DNS and of its cache on the nodes.
func (r *reader) readDNS(ctx context.Context, f *doctor.Facts) {
	f.DNS.Value = map[string]string{}
	for _, name := range []string{"coredns", "node-local-dns"} {
		configuration, err := r.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
		switch {
		case err == nil:
			f.DNS.Value[name] = configuration.Data["Corefile"]
		case !apierrors.IsNotFound(err):
			f.DNS.Err = err
			return
		}
	}
}

// readWebhook reads the configurations and what ours leads to.
func (r *reader) readWebhook(ctx context.Context, f *doctor.Facts) {
	configurations, err := r.client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if f.Configurations.Err = err; err != nil {
		return
	}
	f.Configurations.Value = configurations.Items
	name, ok := f.ServiceName()
	if !ok {
		return
	}
	service, err := r.client.CoreV1().Services(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		f.Service.Value = service
	case !apierrors.IsNotFound(err):
		f.Service.Err = err
	}
	deployments, err := r.client.AppsV1().Deployments(name.Namespace).List(ctx, metav1.ListOptions{})
	if f.Deployments.Err = err; err == nil {
		f.Deployments.Value = deployments.Items
	}
}

// canaryNamespaces is in how many namespaces the canary is tried at most, where
// quotas or policies refuse it.
const canaryNamespaces = 5

// tryCanary creates the canary as a dry run, best in a namespace where it would
// be rewritten.
func (r *reader) tryCanary(ctx context.Context, f *doctor.Facts) {
	names, audited := f.Served("enabled"), false
	if len(names) == 0 {
		names, audited = f.Served("audit"), true
	}
	for _, namespace := range names[:min(len(names), canaryNamespaces)] {
		r.heard.reset()
		pod, err := r.client.CoreV1().Pods(namespace).Create(ctx, doctor.CanaryPod(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		f.Canary = doctor.Canary{Namespace: namespace, Audited: audited, Err: err}
		if err != nil {
			continue
		}
		_, f.Canary.Status = pod.Annotations[mutate.StatusAnnotation]
		f.Canary.Warned = r.heard.ours()
		return
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/deploy"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/apiserver"
)

// webhookLabel is what a namespace opts in with.
const webhookLabel = "probeshift.dev/webhook"

const (
	// legacyNamespace opts into rewriting, auditedNamespace into findings only.
	legacyNamespace  = "legacy"
	auditedNamespace = "audited"

	// pollEvery and callLimit are how often and how long the API server is asked
	// whether it calls the webhook; it learns of a configuration by a watch.
	pollEvery = 100 * time.Millisecond
	callLimit = time.Minute
)

// cluster is an API server with the webhook beside it.
type cluster struct {
	// dir holds everything that is written; it does not outlive the demo.
	dir      string
	api      *apiserver.Server
	webhook  *webhook
	client   kubernetes.Interface
	warnings *warnings
}

// start brings everything up, one step after the other. What was started is
// ended by stop, also after an error.
func (c *cluster) start(ctx context.Context, screen *screen, binary string) (err error) {
	if c.dir, err = os.MkdirTemp("", "probeshift-demo-"); err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"Starting " + binary, func(ctx context.Context) (err error) {
			c.webhook, err = startWebhook(ctx, binary, c.dir)
			return err
		}},
		{"Starting etcd and kube-apiserver", c.startAPIServer},
		{"Registering the webhook there", c.register},
	} {
		err := screen.step(step.name, func() error { return step.do(ctx) })
		if ctx.Err() != nil {
			return fmt.Errorf("ended before anything was shown: %w", context.Cause(ctx))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startAPIServer starts etcd and kube-apiserver. It cannot be interrupted, since
// processes that are half started could not be ended.
func (c *cluster) startAPIServer(context.Context) (err error) {
	if c.api, err = apiserver.Start(apiserver.Options{}); err != nil {
		return err
	}
	if err := c.api.WriteKubeconfig(c.kubeconfig()); err != nil {
		return err
	}
	c.warnings = &warnings{}
	config := rest.CopyConfig(c.api.Config)
	config.WarningHandler = c.warnings
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	return nil
}

// register makes the namespaces and the webhook's configuration, and waits until
// the API server acts on it.
func (c *cluster) register(ctx context.Context) error {
	for name, value := range map[string]string{legacyNamespace: "enabled", auditedNamespace: "audit"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{webhookLabel: value}}}
		if _, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating namespace %s: %w", name, err)
		}
	}
	configuration, err := deploy.ConfigurationAt(c.webhook.url, c.webhook.caBundle)
	if err != nil {
		return err
	}
	if _, err := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating MutatingWebhookConfiguration %s: %w", configuration.Name, err)
	}
	err = wait.PollUntilContextTimeout(ctx, pollEvery, callLimit, true, c.isCalled)
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("the API server does not call the webhook after %s; the end of the webhook's log:\n%s", callLimit, c.webhook.lastLog())
	}
	return err
}

// isCalled says whether a Pod that is sent now passes the webhook. The Pod is
// not kept.
func (c *cluster) isCalled(ctx context.Context) (bool, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "anyone-there"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:  "server",
			Image: "server",
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe"}},
			}},
		}}},
	}
	seen, err := c.client.CoreV1().Pods(legacyNamespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return false, fmt.Errorf("sending a Pod to see whether the webhook is called: %w", err)
	}
	_, ok := seen.Annotations[mutate.StatusAnnotation]
	return ok, nil
}

// create creates a Pod and returns it as it was stored, and the warnings that
// came with it.
func (c *cluster) create(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, []string, error) {
	c.warnings.take()
	stored, err := c.client.CoreV1().Pods(legacyNamespace).Create(ctx, pod, metav1.CreateOptions{})
	return stored, c.warnings.take(), err
}

// kubeconfig is the file with which kubectl reaches the API server.
func (c *cluster) kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// stop ends what runs and removes what was written.
func (c *cluster) stop() error {
	var errs []error
	if c.webhook != nil {
		errs = append(errs, c.webhook.stop())
	}
	if c.api != nil {
		errs = append(errs, c.api.Stop())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

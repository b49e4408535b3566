package main

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// controllers runs a Pod of every controller in the labelled namespace.
func (c *comparison) controllers(ctx context.Context) error {
	if err := c.apply(ctx, enabledNamespace, "controllers.yaml"); err != nil {
		return err
	}
	if err := c.ready(ctx, enabledNamespace, "statefulset/store", "daemonset/agent", "daemonset/exporter"); err != nil {
		return err
	}
	for app, native := range map[string]bool{"store": true, "exporter": true, "agent": false} {
		if err := c.probesAre(ctx, enabledNamespace, app, native); err != nil {
			return err
		}
	}
	if err := c.kubectl(ctx, "", "wait", "-n", enabledNamespace, "--for=condition=Complete", "job/import", "--timeout=3m"); err != nil {
		return err
	}
	if err := c.probesAre(ctx, enabledNamespace, "import", true); err != nil {
		return err
	}
	if err := eventually(ctx, "a Job of the CronJob completes", func() bool {
		jobs, err := c.client.BatchV1().Jobs(enabledNamespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		for i := range jobs.Items {
			if metav1.GetControllerOf(&jobs.Items[i]) != nil && isComplete(&jobs.Items[i]) {
				return true
			}
		}
		return false
	}); err != nil {
		return err
	}
	if err := c.probesAre(ctx, enabledNamespace, "nightly", true); err != nil {
		return err
	}
	return c.kubectl(ctx, "", "delete", "cronjob/nightly", "-n", enabledNamespace)
}

func isComplete(job *batchv1.Job) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// statusOf is a Pod's annotation that tells what the webhook did.
func (l *life) statusOf(ctx context.Context, namespace, app string) (string, error) {
	pod, err := l.pod(ctx, namespace, app)
	if err != nil {
		return "", err
	}
	status := pod.Annotations["probeshift.dev/status"]
	if status == "" {
		return "", errors.New("pod " + namespace + "/" + pod.Name + " carries no status")
	}
	fmt.Fprintf(l.screen, "  %s/%s: %s\n", namespace, app, status)
	return status, nil
}

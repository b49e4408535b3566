package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The namespaces of the workloads.
const (
	enabledNamespace = "shop"
	auditNamespace   = "shop-audit"
)

// legacy is a Deployment as it was written before the kubelet spoke gRPC.
const legacy = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: greeter
spec:
  replicas: 2
  selector:
    matchLabels: {app: greeter}
  template:
    metadata:
      labels: {app: greeter}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: greeter
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: [grpc-health-checking, --port=5000]
          ports:
            - containerPort: 5000
          readinessProbe:
            exec:
              command: [/bin/grpc_health_probe, -addr=:5000]
            periodSeconds: 2
`

// deploy makes a namespace with that switch, deploys the legacy workload there
// and waits until its Pods are Ready.
func (l *life) deploy(ctx context.Context, namespace, value string) error {
	for _, arguments := range [][]string{
		{"create", "namespace", namespace},
		{"label", "namespace", namespace, "probeshift.dev/webhook=" + value},
	} {
		if err := l.kubectl(ctx, "", arguments...); err != nil {
			return err
		}
	}
	if err := l.kubectl(ctx, strings.Replace(legacy, "IMAGE", l.agnhost, 1), "apply", "-n", namespace, "-f", "-"); err != nil {
		return err
	}
	return l.kubectl(ctx, "", "rollout", "status", "deployment/greeter", "-n", namespace, "--timeout=3m")
}

// enable shows that the Pods of an enabled namespace run with native probes.
func (l *life) enable(ctx context.Context) error {
	if err := l.deploy(ctx, enabledNamespace, "enabled"); err != nil {
		return err
	}
	if err := l.kubectl(ctx, "", "get", "pods", "-n", enabledNamespace,
		"-o", `jsonpath={range .items[*]}{.metadata.name} {.spec.containers[0].readinessProbe.grpc} {.metadata.annotations.probeshift\.dev/status}{"\n"}{end}`); err != nil {
		return err
	}
	return l.everyPod(ctx, enabledNamespace, func(pod corev1.Pod) error {
		probe := pod.Spec.Containers[0].ReadinessProbe
		switch {
		case probe.Exec != nil || probe.GRPC == nil || probe.GRPC.Port != 5000:
			return errors.New("its probe is not native")
		case pod.Annotations["probeshift.dev/status"] == "":
			return errors.New("it carries no status")
		}
		return nil
	})
}

// audit shows that the Pods of an audited namespace stay as they are.
func (l *life) audit(ctx context.Context) error {
	if err := l.deploy(ctx, auditNamespace, "audit"); err != nil {
		return err
	}
	return l.everyPod(ctx, auditNamespace, func(pod corev1.Pod) error {
		if pod.Spec.Containers[0].ReadinessProbe.Exec == nil || pod.Annotations["probeshift.dev/status"] != "" {
			return errors.New("it was changed")
		}
		return nil
	})
}

// everyPod looks at every Pod of the workload in a namespace, which have to be
// Ready.
func (l *life) everyPod(ctx context.Context, namespace string, check func(corev1.Pod) error) error {
	pods, err := l.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=greeter"})
	if err != nil {
		return err
	}
	if len(pods.Items) != 2 {
		return fmt.Errorf("namespace %s has %d Pods of the workload, not 2", namespace, len(pods.Items))
	}
	for _, pod := range pods.Items {
		if !isReady(pod) {
			return fmt.Errorf("pod %s/%s is not Ready", namespace, pod.Name)
		}
		if err := check(pod); err != nil {
			return fmt.Errorf("pod %s/%s: %w", namespace, pod.Name, err)
		}
	}
	fmt.Fprintf(l.screen, "  %d Pods of namespace %s are as they should be\n", len(pods.Items), namespace)
	return nil
}

func isReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// eventually waits until the condition holds.
func eventually(ctx context.Context, what string, condition func() bool) error {
	const limit = 3 * time.Minute
	for deadline := time.Now().Add(limit); !condition(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("not after %s: %s", limit, what)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while waiting: %s", what)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

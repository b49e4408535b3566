package main

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unhealthyText is what both kinds of probe say of a server that is not
// serving; the kubelet's words are the tool's.
const unhealthyText = `service unhealthy (responded with "NOT_SERVING")`

// readiness makes the servers NOT_SERVING and SERVING again.
func (c *comparison) readiness(ctx context.Context) error {
	if err := eventually(ctx, "the Pods are in EndpointSlice and DNS", func() bool {
		for _, namespace := range c.sides() {
			inSlice, err := c.inSlice(ctx, namespace)
			if err != nil || !inSlice || !c.inDNS(ctx, namespace) {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	begin, err := c.set(ctx, "greeter", "make-not-serving")
	if err != nil {
		return err
	}
	if err := c.both(ctx, "NOT_SERVING", begin, []milestone{
		{"the Event says so", func(ctx context.Context, namespace string) (bool, error) {
			return c.hasEvent(ctx, namespace, "greeter", "Readiness probe failed: "+unhealthyText)
		}},
		{"the Pod is not Ready", func(ctx context.Context, namespace string) (bool, error) {
			pod, err := c.pod(ctx, namespace, "greeter")
			return err == nil && !isReady(*pod), err
		}},
		{"out of the EndpointSlice", func(ctx context.Context, namespace string) (bool, error) {
			inSlice, err := c.inSlice(ctx, namespace)
			return !inSlice, err
		}},
		{"out of DNS", func(ctx context.Context, namespace string) (bool, error) {
			return !c.inDNS(ctx, namespace), nil
		}},
	}); err != nil {
		return err
	}
	if begin, err = c.set(ctx, "greeter", "make-serving"); err != nil {
		return err
	}
	return c.both(ctx, "SERVING again", begin, []milestone{
		{"the Pod is Ready", func(ctx context.Context, namespace string) (bool, error) {
			pod, err := c.pod(ctx, namespace, "greeter")
			return err == nil && isReady(*pod), err
		}},
		{"in the EndpointSlice", c.inSlice},
		{"in DNS", func(ctx context.Context, namespace string) (bool, error) {
			return c.inDNS(ctx, namespace), nil
		}},
	})
}

// inSlice says whether an EndpointSlice of the Service has a ready endpoint.
func (c *comparison) inSlice(ctx context.Context, namespace string) (bool, error) {
	slices, err := c.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=greeter"})
	if err != nil {
		return false, err
	}
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
				return true, nil
			}
		}
	}
	return false, nil
}

// inDNS says whether a Pod beside it finds the server by the headless Service's
// name. The answer is that of agnhost's netexec, which resolves and then calls.
func (c *comparison) inDNS(ctx context.Context, namespace string) bool {
	asker := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "asker"}}
	answer, err := c.call(ctx, asker, "8083", "dial", map[string]string{
		"host": "greeter." + namespace + ".svc", "port": "8080", "protocol": "http", "request": "hostname",
	})
	return err == nil && strings.Contains(answer, "responses")
}

// hasEvent says whether an Event of a workload's Pod holds a text.
func (c *comparison) hasEvent(ctx context.Context, namespace, app, text string) (bool, error) {
	pod, err := c.pod(ctx, namespace, app)
	if err != nil {
		return false, err
	}
	events, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod.Name})
	if err != nil {
		return false, err
	}
	for _, event := range events.Items {
		if event.Reason == "Unhealthy" && strings.Contains(event.Message, text) {
			return true, nil
		}
	}
	return false, nil
}

// liveness makes servers NOT_SERVING until they are restarted.
func (c *comparison) liveness(ctx context.Context) error {
	begin, err := c.set(ctx, "restarted", "make-not-serving")
	if err != nil {
		return err
	}
	return c.both(ctx, "NOT_SERVING, with a liveness probe", begin, []milestone{
		{"the Event says so", func(ctx context.Context, namespace string) (bool, error) {
			return c.hasEvent(ctx, namespace, "restarted", "Liveness probe failed: "+unhealthyText)
		}},
		{"restarted once", func(ctx context.Context, namespace string) (bool, error) {
			pod, err := c.pod(ctx, namespace, "restarted")
			return err == nil && pod.Status.ContainerStatuses[0].RestartCount == 1 && isReady(*pod), err
		}},
	})
}

// startup makes the server that a startup probe asks NOT_SERVING before its
// first probe, and SERVING once that probe has failed.
func (c *comparison) startup(ctx context.Context) error {
	// The Pods are made anew, so that the first probe is yet to come.
	for _, namespace := range c.sides() {
		if _, err := ask(ctx, "", "delete", "pod", "-n", namespace, "-l", "app=started", "--force", "--grace-period=0"); err != nil {
			return err
		}
	}
	running := func(namespace string) bool {
		pod, err := c.pod(ctx, namespace, "started")
		return err == nil && pod.Status.Phase == corev1.PodRunning && started(pod) != nil
	}
	if err := eventually(ctx, "the servers run", func() bool { return running(enabledNamespace) && running(legacyNamespace) }); err != nil {
		return err
	}
	begin, err := c.set(ctx, "started", "make-not-serving")
	if err != nil {
		return err
	}
	if err := c.both(ctx, "NOT_SERVING, with a startup probe", begin, []milestone{
		{"the Event says so, and it has not started", func(ctx context.Context, namespace string) (bool, error) {
			told, err := c.hasEvent(ctx, namespace, "started", "Startup probe failed: "+unhealthyText)
			if err != nil || !told {
				return false, err
			}
			pod, err := c.pod(ctx, namespace, "started")
			return err == nil && started(pod) != nil && !*started(pod) && restarts(pod) == 0, err
		}},
	}); err != nil {
		return err
	}
	if begin, err = c.set(ctx, "started", "make-serving"); err != nil {
		return err
	}
	return c.both(ctx, "SERVING, with a startup probe", begin, []milestone{
		{"started, never restarted", func(ctx context.Context, namespace string) (bool, error) {
			pod, err := c.pod(ctx, namespace, "started")
			return err == nil && started(pod) != nil && *started(pod) && isReady(*pod) && restarts(pod) == 0, err
		}},
	})
}

// started is what the kubelet says of the container with the startup probe,
// nil as long as it says nothing.
func started(pod *corev1.Pod) *bool {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == "started" && status.State.Running != nil {
			return status.Started
		}
	}
	return nil
}

func restarts(pod *corev1.Pod) int32 {
	n := int32(0)
	for _, status := range pod.Status.ContainerStatuses {
		n += status.RestartCount
	}
	return n
}

package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// containerStatus is what the kubelet says of a container of a Pod.
func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return new(corev1.ContainerStatus)
}

// showStartOrder looks at when the kubelet started what.
func (c *cluster) showStartOrder(ctx context.Context) error {
	pod, err := podOf(ctx, client)
	if err != nil {
		return err
	}
	proxy, app := containerStatus(pod, sidecar.ContainerName), containerStatus(pod, "app")
	if proxy.State.Running == nil || app.State.Running == nil {
		return errors.New("the client's Pod does not run both containers")
	}
	first, second := proxy.State.Running.StartedAt, app.State.Running.StartedAt
	b := proxy.Started != nil && *proxy.Started && !second.Before(&first)
	c.row(b, "a Deployment's Pod, PodSecurity restricted", "admitted, sidecar starts before the app", "%s before", second.Sub(first.Time))
	return nil
}

// podNames are the names of all servers that are there.
func podNames(ctx context.Context) ([]string, error) {
	var pods corev1.PodList
	if err := get(ctx, &pods, "pods", "--selector=app=greeter"); err != nil {
		return nil, err
	}
	var names []string
	for i := range pods.Items {
		names = append(names, pods.Items[i].Name)
	}
	return names, nil
}

// ready are the names of the servers that are Ready and not leaving.
func ready(ctx context.Context) ([]string, error) {
	var pods corev1.PodList
	if err := get(ctx, &pods, "pods", "--selector=app=greeter"); err != nil {
		return nil, err
	}
	var names []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		isReady := slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
			return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
		})
		if isReady && pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// balanced says whether each of these servers gave its part of the answers,
// with a tolerance of 10 %, and what each part was in percent.
func balanced(seen spread, servers []string) (even bool, text string) {
	const tolerance = 0.10
	even = len(seen) == len(servers)
	fair := float64(seen.total()) / float64(max(1, len(servers)))
	var parts []string
	for _, name := range servers {
		even = even && math.Abs(float64(seen[name])-fair) <= tolerance*fair
		parts = append(parts, share(seen[name], seen.total()))
	}
	return even, strings.Join(parts, "/")
}

// showEven waits for a client's windows and shows their spread over the servers.
func (c *cluster) showEven(ctx context.Context, name, what string) error {
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	return c.showEvenOver(ctx, name, what, servers)
}

// showEvenOver is the same for servers with these names.
func (c *cluster) showEvenOver(ctx context.Context, name, what string, servers []string) error {
	const n = 8
	if err := c.served(ctx, name); err != nil {
		return err
	}
	seen, err := next(ctx, name, n)
	if err != nil {
		return err
	}
	even, text := balanced(seen.answers(), servers)
	c.row(even && seen.failures().total() == 0, what, "each within 10 % of even, none fails", "%s of %d, %d failed %s", text, seen.answers().total(), seen.failures().total(), seen.failures().list())
	return nil
}

// showBalance shows the spread over the servers.
func (c *cluster) showBalance(ctx context.Context) error {
	kind := "a headless Service"
	if c.discovery {
		kind = "a Service with a ClusterIP"
	}
	return c.showEven(ctx, client, kind+" of 3 Pods, one connection")
}

// showRewriting shows clients that listen on the port that they dial, and the
// other way to intercept.
func (c *cluster) showRewriting(ctx context.Context) error {
	for _, way := range []struct {
		what string
		caller
	}{
		{"intercept auto, the app itself listens on 9000", caller{
			name: "client-clash", annotations: upstreams(greeterTarget).with("app-ports", "9000"), args: []string{"--listen=:9000"},
		}},
		{"intercept env", caller{name: "client-env", annotations: upstreams(greeterTarget).with("intercept", "env")}},
	} {
		if err := c.startClient(ctx, way.caller); err != nil {
			return err
		}
		pod, err := podOf(ctx, way.name)
		if err != nil {
			return err
		}
		if err := c.showEven(ctx, way.name, way.what+": dials "+pod.Spec.Containers[0].Env[0].Value); err != nil {
			return err
		}
		if _, err := inShop(ctx, "delete", "deployment", way.name); err != nil {
			return err
		}
	}
	return nil
}

// showJob runs a Job to its end.
func (c *cluster) showJob(ctx context.Context) error {
	if _, err := kubectl(ctx, c.manifest(clientJob, caller{name: "client-job", annotations: upstreams(greeterTarget), args: []string{"--calls=1000"}}), "apply", "-f", "-"); err != nil {
		return err
	}
	_, problem := inShop(ctx, "wait", "--for=condition=complete", "job/client-job", "--timeout=90s")
	pod, err := podOf(ctx, "client-job")
	if err != nil {
		return err
	}
	proxy, app := containerStatus(pod, sidecar.ContainerName).State.Terminated, containerStatus(pod, "app").State.Terminated
	ended := proxy != nil && app != nil
	after := time.Duration(0)
	if ended {
		after = proxy.FinishedAt.Sub(app.FinishedAt.Time)
	}
	c.row(problem == nil && ended && after >= 0, "a Job of 1,000 calls", "completes, the sidecar ends after it", "complete: %t, the sidecar ended %s later %s", problem == nil, after, problemText(problem))
	return nil
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// showSidecarEnds ends Envoy in two ways. SIGKILL reaches it only where the
// containers share one process namespace: in its own it is process 1, for which
// Linux takes no SIGKILL from within.
func (c *cluster) showSidecarEnds(ctx context.Context) error {
	if err := c.showEnds(ctx, client, "Envoy ends by SIGTERM", "--signal=SIGTERM"); err != nil {
		return err
	}
	shared := caller{name: "client-shared", annotations: upstreams(greeterTarget).with("protocol", "http"), shared: true}
	if err := c.startClient(ctx, shared); err != nil {
		return err
	}
	if err := c.served(ctx, shared.name); err != nil {
		return err
	}
	if err := c.showEnds(ctx, shared.name, "Envoy ends by SIGKILL, in a shared process namespace", "--signal=SIGKILL", "--program=envoy"); err != nil {
		return err
	}
	_, err := inShop(ctx, "delete", "deployment", shared.name)
	return err
}

// showEnds sends a signal from a container beside Envoy; the kubelet starts it
// again.
func (c *cluster) showEnds(ctx context.Context, name, what string, args ...string) error {
	pod, err := podOf(ctx, name)
	if err != nil {
		return err
	}
	user := *pod.Spec.InitContainers[0].SecurityContext.RunAsUser
	patch := fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":"end","image":%q,"imagePullPolicy":"IfNotPresent","args":["%s","%s"],"targetContainerName":%q,
		"securityContext":{"runAsUser":%d,"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}}]}}`,
		c.lb, signalCommand, strings.Join(args, `","`), sidecar.ContainerName, user)
	before, err := windowsOf(ctx, name)
	if err != nil {
		return err
	}
	if _, err := inShop(ctx, "patch", "pod", pod.Name, "--subresource=ephemeralcontainers", "--patch="+patch); err != nil {
		return err
	}
	const limit = time.Minute
	var last *corev1.ContainerStateTerminated
	problem := eventually(ctx, limit, func() bool {
		now, err := podOf(ctx, name)
		if err != nil {
			return false
		}
		status := containerStatus(now, sidecar.ContainerName)
		last = status.LastTerminationState.Terminated
		return status.RestartCount > 0 && status.Started != nil && *status.Started
	})
	if err := pause(ctx, 4*windowLength); err != nil {
		return err
	}
	after, err := windowsOf(ctx, name)
	if err != nil {
		return err
	}
	seen := after.since(before.number())
	end := seen[max(0, len(seen)-1):]
	code := "-"
	if last != nil {
		code = strconv.Itoa(int(last.ExitCode))
	}
	full := end.failures().total() == 0 && end.answers().total() > 0
	c.row(problem == nil && full, what, "the kubelet restarts it, the app reconnects", "exit code %s; %s %s", code, seen.show(), problemText(problem))
	return nil
}

// showStopOrder deletes the client's Pod, which goes on making calls for a
// while.
func (c *cluster) showStopOrder(ctx context.Context) error {
	pod, err := podOf(ctx, client)
	if err != nil {
		return err
	}
	said := make(chan string, 1)
	go func() {
		// It ends with the container.
		log, err := inShop(ctx, "logs", "--follow", pod.Name, "--container=app")
		if err != nil {
			log = ""
		}
		said <- log
	}()
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	if _, err := inShop(ctx, "delete", "pod", pod.Name, "--wait=true"); err != nil {
		return err
	}
	all, err := parseWindows(<-said)
	if err != nil {
		return err
	}
	seen := all.ending()
	c.row(seen.answers().total() > 0 && seen.failures().total() == 0, "a Pod ends: its app goes on for 4 s after SIGTERM", "the sidecar stops after the app",
		"%d calls after SIGTERM, %d failed", seen.answers().total()+seen.failures().total(), seen.failures().total())
	return rolledOut(ctx, client)
}

// showUninstalled removes the webhook. What it injected needs it no more.
func (c *cluster) showUninstalled(ctx context.Context) error {
	before, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	if err := c.uninstall(ctx); err != nil {
		return err
	}
	if err := pause(ctx, 4*windowLength); err != nil {
		return err
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	seen := after.since(before.number())
	c.row(seen.failures().total() == 0, "the product is uninstalled", "running sidecars go on", "%s", seen.show())
	return nil
}

// showDrain drains the client's node without any flag. The webhook is gone by
// then: its PodDisruptionBudget keeps the last replica where there is no other
// node. Where the node holds Pods of others, their DaemonSets would need flags,
// so there the drain is of the Pods of the workloads alone.
func (c *cluster) showDrain(ctx context.Context) error {
	pod, err := podOf(ctx, client)
	if err != nil {
		return err
	}
	var all corev1.PodList
	if err := get(ctx, &all, "pods", "--all-namespaces", "--field-selector=spec.nodeName="+pod.Spec.NodeName); err != nil {
		return err
	}
	others := slices.ContainsFunc(all.Items, func(p corev1.Pod) bool { return p.Namespace != namespace })
	args := []string{"drain", pod.Spec.NodeName, "--timeout=60s"}
	what := "kubectl drain NODE, no flag but a time-out"
	if others {
		args = append(args, "--pod-selector=app in ("+client+",greeter)")
		what = "kubectl drain NODE --pod-selector, no other flag"
	}
	said, problem := kubectl(ctx, "", args...)
	if _, err := kubectl(ctx, "", "uncordon", pod.Spec.NodeName); err != nil {
		return err
	}
	c.row(problem == nil, what, "evicts all Pods", "%d Pods evicted %s", strings.Count(said, " evicted\n"), problemText(problem))
	for _, name := range []string{"greeter", client} {
		if err := rolledOut(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

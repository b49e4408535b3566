package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// showEven waits for a client's windows and shows their spread.
func (c *cluster) showEven(ctx context.Context, name, what string) error {
	const n = 8
	patience := c.dnsCache + 30*time.Second
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	// Clients may have started before the servers, and DNS keeps that there were
	// none.
	if _, err := until(ctx, patience, func() bool {
		seen, err := windowsOf(ctx, name)
		return err == nil && len(seen) > 0 && seen[len(seen)-1:].failures().total() == 0
	}); err != nil {
		return fmt.Errorf("%s is not served %w", name, err)
	}
	seen, err := next(ctx, name, n)
	if err != nil {
		return err
	}
	even, text := balanced(seen.answers(), servers)
	c.row(even && seen.failures().total() == 0, what, "each within 10 % of even, none fails", "%s of %d, %d failed", text, seen.answers().total(), seen.failures().total())
	return nil
}

// showBalance shows the spread over the servers.
func (c *cluster) showBalance(ctx context.Context) error {
	return c.showEven(ctx, client, "a headless Service of 3 Pods, one connection")
}

// under does something to the servers and returns what the client saw from then
// until the sidecar must have followed.
func (c *cluster) under(ctx context.Context, change func() error) (windows, error) {
	before, err := windowsOf(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := change(); err != nil {
		return nil, err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return nil, err
	}
	if err := pause(ctx, c.dnsCache+followed+2*windowLength); err != nil {
		return nil, err
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return nil, err
	}
	// The window under way at the change is the next one; the last was before.
	return after.since(before.number()), nil
}

// inFlight is the reason of a failure of a request that a server had been sent
// when it ended. Nobody can know whether it was carried out, so it is not sent
// again.
const inFlight = "Unavailable connection termination"

// showScale changes the servers under load. They end at once when they are
// told to.
func (c *cluster) showScale(ctx context.Context) error {
	scale := func(n int) func() error {
		return func() error {
			_, err := inShop(ctx, "scale", "deployment/greeter", "--replicas="+strconv.Itoa(n))
			return err
		}
	}
	restart := func() error {
		_, err := inShop(ctx, "rollout", "restart", "deployment/greeter")
		return err
	}
	const enough = 40 // percent of the rate
	for _, step := range []struct {
		what   string
		change func() error
	}{
		{"3 Pods become 6", scale(6)},
		{"6 become 3, which exit at once", scale(3)},
		{"3 become 6 again", scale(6)},
		{"a rolling restart of 6 that exit at once", restart},
		{"6 become 2, which exit at once", scale(2)},
	} {
		seen, err := c.under(ctx, step.change)
		if err != nil {
			return err
		}
		servers, err := ready(ctx)
		if err != nil {
			return err
		}
		last := seen[max(0, len(seen)-2):].answers()
		c.row(len(last) == len(servers), step.what, fmt.Sprintf("within DNS cache (%s) + refresh + 2 s the %d serve", c.dnsCache, len(servers)), "%d serve", len(last))
		worst := slices.Min(seen.percents())
		lost := seen.failures().total() - seen.failures()[inFlight]
		c.lossless(lost == 0 && worst >= enough, step.what+": requests, 200/s",
			fmt.Sprintf("none fails but those in flight, no window below %d %%", enough), "%s", seen.show())
	}
	return nil
}

// showRewriting shows clients that listen on the port that they dial, and the
// other way to intercept.
func (c *cluster) showRewriting(ctx context.Context) error {
	for _, way := range []struct {
		name, what string
		a          annotations
		listens    bool
	}{
		{"client-clash", "intercept auto, the app itself listens on 9000", upstreams(greeterTarget).with("app-ports", "9000"), true},
		{"client-env", "intercept env", upstreams(greeterTarget).with("intercept", "env"), false},
	} {
		var args []string
		if way.listens {
			args = []string{"--listen=:9000"}
		}
		if _, err := kubectl(ctx, c.filled(clientDeployment, way.name, way.a, args...), "apply", "-f", "-"); err != nil {
			return err
		}
		if err := rolledOut(ctx, way.name); err != nil {
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
	if _, err := kubectl(ctx, c.filled(clientJob, "client-job", upstreams(greeterTarget), "--calls=1000"), "apply", "-f", "-"); err != nil {
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

// showSidecarEnds ends Envoy from a container beside it; the kubelet starts it
// again.
func (c *cluster) showSidecarEnds(ctx context.Context) error {
	pod, err := podOf(ctx, client)
	if err != nil {
		return err
	}
	user := *pod.Spec.InitContainers[0].SecurityContext.RunAsUser
	patch := fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":"end","image":%q,"imagePullPolicy":"IfNotPresent","args":["end"],"targetContainerName":%q,
		"securityContext":{"runAsUser":%d,"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}}]}}`,
		c.lb, sidecar.ContainerName, user)
	before, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	if _, err := inShop(ctx, "patch", "pod", pod.Name, "--subresource=ephemeralcontainers", "--patch="+patch); err != nil {
		return err
	}
	const limit = time.Minute
	_, problem := until(ctx, limit, func() bool {
		now, err := podOf(ctx, client)
		if err != nil {
			return false
		}
		status := containerStatus(now, sidecar.ContainerName)
		return status.RestartCount > 0 && status.Started != nil && *status.Started
	})
	if err := pause(ctx, 4*windowLength); err != nil {
		return err
	}
	after, err := windowsOf(ctx, client)
	if err != nil {
		return err
	}
	seen := after.since(before.number())
	last := seen[len(seen)-1:]
	full := last.failures().total() == 0 && last.answers().total() > 0
	c.row(problem == nil && full, "Envoy ends", "the kubelet restarts it, the app reconnects", "%s %s", seen.show(), problemText(problem))
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

// showDrain drains the client from its node. The selector keeps the rest of a
// small cluster where it is; nothing that would force the drain is given.
func (c *cluster) showDrain(ctx context.Context) error {
	pod, err := podOf(ctx, client)
	if err != nil {
		return err
	}
	_, problem := kubectl(ctx, "", "drain", pod.Spec.NodeName, "--pod-selector=app="+client, "--timeout=60s")
	if _, err := kubectl(ctx, "", "uncordon", pod.Spec.NodeName); err != nil {
		return err
	}
	c.row(problem == nil, "kubectl drain, without --delete-emptydir-data or --force", "evicts the Pod", "evicted: %t %s", problem == nil, problemText(problem))
	return nil
}

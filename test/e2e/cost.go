package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// measured is how long the CPU is measured.
	measured = time.Minute
	// probesEachSecond is what manifests/cost.yaml asks for.
	probesEachSecond = 2
)

// usage is the CPU that a Pod's cgroup has used until a time.
type usage struct {
	at   time.Time
	used time.Duration
}

// cost measures the CPU of Pods with native, exec and no probes. What the
// kubelet and the container runtime use besides is not in a Pod's cgroup.
func (c *comparison) cost(ctx context.Context) error {
	pods := []*corev1.Pod{}
	for _, namespace := range c.sides() {
		if err := c.apply(ctx, namespace, "cost.yaml"); err != nil {
			return err
		}
	}
	for _, namespace := range c.sides() {
		if err := c.ready(ctx, namespace, "deployment/probed", "deployment/unprobed"); err != nil {
			return err
		}
		pod, err := c.pod(ctx, namespace, "probed")
		if err != nil {
			return err
		}
		pods = append(pods, pod)
	}
	idle, err := c.pod(ctx, legacyNamespace, "unprobed")
	if err != nil {
		return err
	}
	each, err := c.cpuOf(ctx, append(pods, idle))
	if err != nil {
		return err
	}
	const perSecond = float64(probesEachSecond)
	native, exec := each[0]-each[2], each[1]-each[2]
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "CPU of the Pod's cgroup\ta second\tper probe\n")
	fmt.Fprintf(table, "  no probes\t%.2f ms\t\n", 1000*each[2])
	fmt.Fprintf(table, "  grpc, %d a second\t%.2f ms\t%.2f ms\n", probesEachSecond, 1000*each[0], 1000*native/perSecond)
	fmt.Fprintf(table, "  exec, %d a second\t%.2f ms\t%.2f ms\n", probesEachSecond, 1000*each[1], 1000*exec/perSecond)
	fmt.Fprintf(table, "  exec/grpc\t\t%.1f\n", exec/native)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(c.screen, out.String())
	c.tables = append(c.tables, out.String())
	return nil
}

// cpuOf measures the CPU of Pods, in seconds a second.
func (c *comparison) cpuOf(ctx context.Context, pods []*corev1.Pod) ([]float64, error) {
	first, last := make([]usage, len(pods)), make([]usage, len(pods))
	var problem error
	err := eventually(ctx, "the kubelet has measured for "+measured.String(), func() bool {
		problem = nil
		done := true
		for i, pod := range pods {
			now, err := c.usageOf(ctx, pod)
			switch {
			case err != nil:
				problem, done = err, false
				continue
			case first[i].at.IsZero():
				first[i] = now
			}
			last[i] = now
			done = done && now.at.Sub(first[i].at) >= measured
		}
		return done
	})
	if err != nil {
		return nil, fmt.Errorf("%w (the last problem: %v)", err, problem) //nolint:errorlint // only to be read
	}
	var each []float64
	for i := range pods {
		each = append(each, (last[i].used-first[i].used).Seconds()/last[i].at.Sub(first[i].at).Seconds())
	}
	return each, nil
}

// usageOf asks the kubelet for what a Pod's cgroup has used.
func (c *comparison) usageOf(ctx context.Context, pod *corev1.Pod) (usage, error) {
	answer, err := c.client.CoreV1().RESTClient().Get().Resource("nodes").Name(pod.Spec.NodeName).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
	if err != nil {
		return usage{}, err
	}
	var summary struct {
		Pods []struct {
			PodRef struct{ Namespace, Name string }
			CPU    struct {
				Time                 time.Time
				UsageCoreNanoSeconds int64
			}
		}
	}
	if err := json.Unmarshal(answer, &summary); err != nil {
		return usage{}, fmt.Errorf("stats of node %s: %w", pod.Spec.NodeName, err)
	}
	for _, p := range summary.Pods {
		if p.PodRef.Namespace == pod.Namespace && p.PodRef.Name == pod.Name && p.CPU.UsageCoreNanoSeconds > 0 {
			return usage{at: p.CPU.Time, used: time.Duration(p.CPU.UsageCoreNanoSeconds)}, nil
		}
	}
	return usage{}, fmt.Errorf("node %s has no CPU figure of Pod %s/%s", pod.Spec.NodeName, pod.Namespace, pod.Name)
}

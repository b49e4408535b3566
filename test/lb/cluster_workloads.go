package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// workloads are a namespace in which PodSecurity takes nothing but the
// strictest profile, a Service and its servers, which end at once when they are
// told to. Their Pods share one process namespace, so that a server is not
// process 1 and can be killed from within its Pod.
const workloads = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    probeshift.dev/webhook: enabled
    pod-security.kubernetes.io/enforce: restricted
---
apiVersion: v1
kind: Service
metadata: {name: greeter, namespace: shop}
spec:
  clusterIP: CLUSTERIP
  selector: {app: greeter}
  ports: [{name: grpc, port: 9000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: greeter, namespace: shop}
spec:
  replicas: 3
  selector:
    matchLabels: {app: greeter}
  template:
    metadata:
      labels: {app: greeter}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      shareProcessNamespace: true
      terminationGracePeriodSeconds: 5
      containers:
        - name: server
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: [server, --name=$(POD_NAME), "--ports=9000,9001"]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          ports: [{name: grpc, containerPort: 9000}, {name: more, containerPort: 9001}]
          readinessProbe:
            httpGet: {path: /, port: 8081}
            periodSeconds: 1
            failureThreshold: 1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// clientDeployment is a client.
const clientDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: shop}
spec:
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
      annotations: {ANNOTATIONS}
    spec:
` + clientPod

// clientPod is the Pod of a client.
const clientPod = `      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      terminationGracePeriodSeconds: 15
      shareProcessNamespace: SHARED
      containers:
        - name: app
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: [client, --target=$(GREETER_ADDR)ARGS]
          env: [{name: GREETER_ADDR, value: "TARGET"}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// clientJob is a client that makes calls and ends.
const clientJob = `apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: shop}
spec:
  backoffLimit: 0
  template:
    metadata:
      labels: {app: NAME}
      annotations: {ANNOTATIONS}
    spec:
      restartPolicy: Never
` + clientPod

// caller is a client to be.
type caller struct {
	name        string
	annotations annotations
	// target is what it dials, greeterTarget when empty.
	target string
	args   []string
	// shared says that its containers share one process namespace.
	shared bool
}

// manifest fills a manifest in.
func (c *cluster) manifest(of string, one caller) string {
	var pairs []string
	for key, value := range one.annotations {
		pairs = append(pairs, fmt.Sprintf("lb.probeshift.dev/%s: %q", key, value))
	}
	var more strings.Builder
	for _, arg := range one.args {
		more.WriteString(", " + strconv.Quote(arg))
	}
	return strings.NewReplacer("name: NAME", "name: "+one.name, "app: NAME", "app: "+one.name, "IMAGE", c.lb,
		"ANNOTATIONS", strings.Join(pairs, ", "), "ARGS", more.String(), "TARGET", cmp.Or(one.target, greeterTarget),
		"SHARED", strconv.FormatBool(one.shared)).Replace(of)
}

// workloads is the manifest of all but the clients. With discovery the Service
// has a ClusterIP, as most have.
func (c *cluster) workloads() string {
	address := "None"
	if c.discovery {
		address = `""`
	}
	return strings.NewReplacer("IMAGE", c.lb, "CLUSTERIP", address).Replace(workloads)
}

// startClient makes a client and waits until it runs.
func (c *cluster) startClient(ctx context.Context, one caller) error {
	if _, err := kubectl(ctx, c.manifest(clientDeployment, one), "apply", "-f", "-"); err != nil {
		return err
	}
	return rolledOut(ctx, one.name)
}

// client is the name of the client of most rows.
const client = "client"

// serve makes the workloads and waits until they work.
func (c *cluster) serve(ctx context.Context) error {
	if _, err := kubectl(ctx, c.workloads(), "apply", "-f", "-"); err != nil {
		return err
	}
	if err := rolledOut(ctx, "greeter"); err != nil {
		return err
	}
	if err := c.startClient(ctx, caller{name: client, annotations: upstreams(greeterTarget).with("protocol", "http"), args: []string{"--linger=4s"}}); err != nil {
		return err
	}
	return c.served(ctx, client)
}

// served waits until nothing fails that a client asks for. It may have started
// before the servers, and DNS keeps that there were none.
func (c *cluster) served(ctx context.Context, name string) error {
	patience := c.dnsCache + 30*time.Second
	if err := eventually(ctx, patience, func() bool {
		seen, err := windowsOf(ctx, name)
		return err == nil && len(seen) > 0 && seen[len(seen)-1:].failures().total() == 0
	}); err != nil {
		return fmt.Errorf("%s is not served %w", name, err)
	}
	return nil
}

// eventually waits until a condition holds that takes kubectl to look at.
func eventually(ctx context.Context, limit time.Duration, condition func() bool) error {
	const step = 500 * time.Millisecond
	for begin := time.Now(); !condition(); {
		if time.Since(begin) > limit {
			return fmt.Errorf("not after %s", limit)
		}
		if err := pause(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// rolledOut waits until every Pod of a Deployment is the newest one and Ready.
func rolledOut(ctx context.Context, name string) error {
	_, err := inShop(ctx, "rollout", "status", "deployment/"+name, "--timeout=3m")
	return err
}

// podOf returns the Pod of a client.
func podOf(ctx context.Context, name string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := get(ctx, &pods, "pods", "--selector=app="+name); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			return &pods.Items[i], nil
		}
	}
	return nil, fmt.Errorf("there is no Pod of %s", name)
}

// windowsOf are all that a client has seen so far.
func windowsOf(ctx context.Context, name string) (windows, error) {
	pod, err := podOf(ctx, name)
	if err != nil {
		return nil, err
	}
	said, err := inShop(ctx, "logs", pod.Name, "--container=app")
	if err != nil {
		return nil, err
	}
	return parseWindows(said)
}

// parseWindows reads what a client said.
func parseWindows(said string) (windows, error) {
	var all windows
	for line := range strings.Lines(said) {
		var w window
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			return nil, fmt.Errorf("reading what a client said: %w: %s", err, line)
		}
		all = append(all, w)
	}
	return all, nil
}

// next waits for n more windows of a client and returns them.
func next(ctx context.Context, name string, n int) (windows, error) {
	before, err := windowsOf(ctx, name)
	if err != nil {
		return nil, err
	}
	// What is under way does not count.
	if err := pause(ctx, time.Duration(n+1)*windowLength+time.Second); err != nil {
		return nil, err
	}
	after, err := windowsOf(ctx, name)
	if err != nil {
		return nil, err
	}
	return after.since(before.number() + 1), nil
}

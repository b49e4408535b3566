package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// workloads are a namespace in which PodSecurity takes nothing but the
// strictest profile, a headless Service, its servers, which end at once when
// they are told to, and a client.
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
  clusterIP: None
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
      terminationGracePeriodSeconds: 5
      containers:
        - name: server
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: [backend, --address=0.0.0.0, --name=$(POD_NAME), --at-once]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          ports: [{containerPort: 9000}]
          readinessProbe:
            tcpSocket: {port: 9000}
            periodSeconds: 1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
` + clientDeployment

// clientDeployment is a client: NAME, IMAGE, ANNOTATIONS and ARGS are filled in.
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
      containers:
        - name: app
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: [client, --target=$(GREETER_ADDR)ARGS]
          env: [{name: GREETER_ADDR, value: "greeter:9000"}]
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

// filled is a manifest with everything filled in.
func (c *cluster) filled(manifest, name string, a annotations, args ...string) string {
	var pairs []string
	for key, value := range a {
		pairs = append(pairs, fmt.Sprintf("lb.probeshift.dev/%s: %q", key, value))
	}
	var more strings.Builder
	for _, arg := range args {
		more.WriteString(", " + strconv.Quote(arg))
	}
	return strings.NewReplacer("name: NAME", "name: "+name, "app: NAME", "app: "+name,
		"IMAGE", c.lb, "ANNOTATIONS", strings.Join(pairs, ", "), "ARGS", more.String()).Replace(manifest)
}

// client is the name of the client of most rows.
const client = "client"

// serve makes the workloads and waits until they work.
func (c *cluster) serve(ctx context.Context) error {
	if _, err := kubectl(ctx, c.filled(workloads, client, upstreams(greeterTarget).with("protocol", "http"), "--linger=4s"), "apply", "-f", "-"); err != nil {
		return err
	}
	for _, name := range []string{"greeter", client} {
		if err := rolledOut(ctx, name); err != nil {
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

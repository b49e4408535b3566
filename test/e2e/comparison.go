package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// legacyNamespace has no label: its Pods keep their exec probes.
const legacyNamespace = "shop-legacy"

//go:embed manifests
var manifests embed.FS

// comparison runs the same workload in two namespaces, one labelled and one
// not, and compares what the kubelet makes of its probes.
type comparison struct {
	*life
	// tables are printed in the end.
	tables []string
}

func (c *comparison) steps() []step {
	return []step{
		{"install", c.install},
		{"the same workload in a labelled and in an unlabelled namespace", c.deployBoth},
		{"what is NOT_SERVING gets no traffic, what serves again does", c.readiness},
		{"what is NOT_SERVING is restarted", c.liveness},
		{"what is NOT_SERVING has not started, and is not restarted for it", c.startup},
		{"a Pod of every controller", c.controllers},
		{"CPU in the Pod's cgroup", c.cost},
		{"uninstall", c.uninstall},
		{"side by side", c.printTables},
	}
}

// sides are the two namespaces, the labelled one first.
func (*comparison) sides() []string { return []string{enabledNamespace, legacyNamespace} }

// manifest is a file of manifests, with the image in it.
func (l *life) manifest(name string) (string, error) {
	content, err := manifests.ReadFile("manifests/" + name)
	return strings.ReplaceAll(string(content), "IMAGE", l.agnhost), err
}

// apply applies a file of manifests in a namespace.
func (l *life) apply(ctx context.Context, namespace, name string) error {
	content, err := l.manifest(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(l.screen, "$ kubectl apply -n %s -f test/e2e/manifests/%s # with AGNHOST_IMAGE in it\n", namespace, name)
	said, err := ask(ctx, content, "apply", "-n", namespace, "-f", "-")
	for line := range strings.Lines(said) {
		fmt.Fprint(l.screen, "  "+line)
	}
	return err
}

// ready waits until the workloads of a namespace are Ready.
func (l *life) ready(ctx context.Context, namespace string, workloads ...string) error {
	for _, workload := range workloads {
		if _, err := ask(ctx, "", "rollout", "status", workload, "-n", namespace, "--timeout=3m"); err != nil {
			return err
		}
	}
	fmt.Fprintf(l.screen, "  Ready in %s: %s\n", namespace, strings.Join(workloads, ", "))
	return nil
}

func (c *comparison) deployBoth(ctx context.Context) error {
	for _, namespace := range c.sides() {
		if err := c.kubectl(ctx, "", "create", "namespace", namespace); err != nil {
			return err
		}
	}
	if err := c.kubectl(ctx, "", "label", "namespace", enabledNamespace, "probeshift.dev/webhook=enabled"); err != nil {
		return err
	}
	for _, namespace := range c.sides() {
		if err := c.apply(ctx, namespace, "greeter.yaml"); err != nil {
			return err
		}
		if err := c.kubectl(ctx, "", "run", "asker", "-n", namespace, "--image="+c.agnhost, "--image-pull-policy=IfNotPresent",
			"--port=8083", "--", "netexec", "--http-port=8083"); err != nil {
			return err
		}
	}
	for _, namespace := range c.sides() {
		if err := c.ready(ctx, namespace, "deployment/greeter", "deployment/restarted"); err != nil {
			return err
		}
		if err := c.kubectl(ctx, "", "wait", "-n", namespace, "--for=condition=Ready", "pod/asker", "--timeout=3m"); err != nil {
			return err
		}
		for _, app := range []string{"greeter", "restarted", "started"} {
			if err := c.probesAre(ctx, namespace, app, namespace == enabledNamespace); err != nil {
				return err
			}
		}
	}
	return nil
}

// probesAre looks whether all probes of a workload's Pods are native, or exec.
func (l *life) probesAre(ctx context.Context, namespace, app string, native bool) error {
	pod, err := l.pod(ctx, namespace, app)
	if err != nil {
		return err
	}
	probes := 0
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		for kind, probe := range map[string]*corev1.Probe{"liveness": container.LivenessProbe, "readiness": container.ReadinessProbe, "startup": container.StartupProbe} {
			if probe == nil {
				continue
			}
			probes++
			if (probe.GRPC != nil) != native || (probe.Exec != nil) == native {
				return fmt.Errorf("the %s probe of container %s in Pod %s/%s is not what it should be: %s", kind, container.Name, namespace, pod.Name, probe.String())
			}
		}
	}
	if probes == 0 {
		return fmt.Errorf("pod %s/%s has no probes", namespace, pod.Name)
	}
	handler := "exec"
	if native {
		handler = "grpc"
	}
	fmt.Fprintf(l.screen, "  %s/%s: %s\n", namespace, app, handler)
	return nil
}

// pod is the newest Pod of a workload.
func (l *life) pod(ctx context.Context, namespace, app string) (*corev1.Pod, error) {
	pods, err := l.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, err
	}
	var newest *corev1.Pod
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp == nil && (newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp)) {
			newest = p
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("namespace %s has no Pod of %s", namespace, app)
	}
	return newest, nil
}

// call asks a Pod's HTTP port, through the API server.
func (l *life) call(ctx context.Context, pod *corev1.Pod, port, path string, query map[string]string) (string, error) {
	request := l.client.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name + ":" + port).SubResource("proxy").Suffix(path)
	for key, value := range query {
		request = request.Param(key, value)
	}
	answer, err := request.DoRaw(ctx)
	return string(answer), err
}

// set makes the servers of a workload SERVING or NOT_SERVING, in both
// namespaces at once.
func (c *comparison) set(ctx context.Context, app, path string) (time.Time, error) {
	begin := time.Now()
	for _, namespace := range c.sides() {
		pod, err := c.pod(ctx, namespace, app)
		if err != nil {
			return begin, err
		}
		if _, err := c.call(ctx, pod, "8080", path, nil); err != nil {
			return begin, fmt.Errorf("%s of %s/%s: %w", path, namespace, app, err)
		}
	}
	fmt.Fprintf(c.screen, "  %s: %s in both namespaces\n", app, path)
	return begin, nil
}

// milestone is something that a namespace comes to.
type milestone struct {
	name string
	// isSo may be wrong for a while, and then is an error only in the end.
	isSo func(ctx context.Context, namespace string) (bool, error)
}

// both waits until both namespaces have come to every milestone, and keeps a
// table of how long each took.
func (c *comparison) both(ctx context.Context, title string, begin time.Time, milestones []milestone) error {
	type cell struct{ milestone, namespace string }
	seen := map[cell]time.Duration{}
	var last error
	err := eventually(ctx, title, func() bool {
		last = nil
		for _, m := range milestones {
			for _, namespace := range c.sides() {
				at := cell{m.name, namespace}
				if _, there := seen[at]; there {
					continue
				}
				is, err := m.isSo(ctx, namespace)
				switch {
				case err == nil && is:
					seen[at] = time.Since(begin)
				case err != nil:
					last = errors.Join(last, fmt.Errorf("namespace %s: %s: %w", namespace, m.name, err))
				default:
					last = errors.Join(last, fmt.Errorf("namespace %s: not so: %s", namespace, m.name))
				}
			}
		}
		return len(seen) == len(milestones)*len(c.sides())
	})
	if err != nil {
		return errors.Join(err, last)
	}
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\tgrpc (%s)\texec (%s)\n", title, enabledNamespace, legacyNamespace)
	for _, m := range milestones {
		fmt.Fprintf(table, "  %s", m.name)
		for _, namespace := range c.sides() {
			fmt.Fprintf(table, "\t%.1fs", seen[cell{m.name, namespace}].Seconds())
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(c.screen, out.String())
	c.tables = append(c.tables, out.String())
	return nil
}

func (c *comparison) printTables(context.Context) error {
	for _, table := range c.tables {
		fmt.Fprintln(c.screen, table)
	}
	return nil
}

//go:build linux

package cli

import (
	"context"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/doctor"
	checks "github.com/probeshift/probeshift/pkg/doctor"
)

// diagnose runs doctor and returns its results by check.
func (c *cluster) diagnose(t *testing.T, code int, args ...string) map[string]checks.Result {
	t.Helper()
	var report doctor.Report
	o := c.expect(t, code, append([]string{"doctor", "-o", "json"}, args...)...)
	decode(t, o, &report)
	byName := map[string]checks.Result{}
	for _, r := range report.Checks {
		if r.Verdict != checks.OK && (len(r.Found) == 0 || len(r.Remedy) == 0) {
			t.Errorf("%s is %q and does not say why and what to do", r.Check, r.Verdict)
		}
		byName[r.Check] = r
	}
	return byName
}

// verdict fails where a check did not come out so, or does not say the words.
func verdict(t *testing.T, results map[string]checks.Result, check string, want checks.Verdict, words ...string) {
	t.Helper()
	r := results[check]
	if r.Verdict != want {
		t.Errorf("%s is %q and not %q: %+v", check, r.Verdict, want, r)
	}
	contains(t, strings.Join(append(r.Found, append(r.Remedy, r.Apply)...), "\n"), words...)
}

// behindService makes the Service that a configuration may name, and a
// Deployment behind it with so many ready replicas and these arguments.
func (c *cluster) behindService(t *testing.T, ready int32, args ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "probeshift-webhook"},
		Spec:       corev1.ServiceSpec{Selector: componentLabels("webhook"), Ports: []corev1.ServicePort{{Port: 443}}},
	}
	if _, err := c.client.CoreV1().Services(own).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.CoreV1().Services(own).Delete(ctx, service.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	c.deployment(t, "webhook", ready, args...)
}

func componentLabels(component string) map[string]string {
	return map[string]string{"app.kubernetes.io/name": "probeshift", "app.kubernetes.io/component": component}
}

// deployment makes one of ours with two replicas, of which so many are ready,
// that goes when the test ends.
func (c *cluster) deployment(t *testing.T, component string, ready int32, args ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	labels, two := componentLabels(component), int32(2)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "probeshift-" + component},
		Spec: appsv1.DeploymentSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: component, Image: "localhost/probeshift/webhook", Args: args}}},
			},
		},
	}
	created, err := c.client.AppsV1().Deployments(own).Create(ctx, deployment, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.Status.Replicas, created.Status.ReadyReplicas = 2, ready
	if _, err := c.client.AppsV1().Deployments(own).UpdateStatus(ctx, created, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.AppsV1().Deployments(own).Delete(ctx, deployment.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// own is the webhook's namespace.
const own = "probeshift"

// node makes a node that goes when the test ends.
func (c *cluster) node(t *testing.T, name, version string, change ...func(*corev1.Node)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, f := range change {
		f(node)
	}
	node, err := c.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node.Status.NodeInfo.KubeletVersion = version
	if _, err := c.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func doctorIsContent(t *testing.T, c *cluster) {
	c.namespace(t, own, nil)
	c.served(t, "content", "enabled")
	configuration := startWebhook(t)
	c.install(t, configuration)
	c.waitCalled(t, "content")
	c.create(t, "content", legacy("payments", "a"))
	c.node(t, "new", "v1.37.0")

	// Of a configuration with URLs all but the Deployment can be said.
	results := c.diagnose(t, 0)
	for name, r := range results {
		want := checks.OK
		if name == "deployment" || name == "switches" {
			want = checks.CannotTell
		}
		if r.Verdict != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
	verdict(t, results, "dry-run", checks.OK, "called, trusted, and answered")
	verdict(t, results, "api-server", checks.OK, "v1.")
	verdict(t, results, "namespaces", checks.OK, "enabled: content")
	golden(t, "doctor-80.txt", c.doctorOnTerminal(t, 80))
	golden(t, "doctor-200.txt", c.doctorOnTerminal(t, 200))

	// An audited namespace is told from its warnings.
	c.empty(t, "content")
	c.served(t, "watched", "audit")
	eventually(t, "the webhook is called for the audited namespace", func() bool {
		return c.diagnose(t, c.run(t, "doctor").code)["dry-run"].Verdict == checks.OK
	})
	verdict(t, c.diagnose(t, 0), "dry-run", checks.OK, "only audited")
	verdict(t, c.diagnose(t, 0, "--dry-run-pod=false"), "dry-run", checks.CannotTell)
}

// doctorOnTerminal is what doctor shows, without the dates of certificates and
// the version of the API server.
func (c *cluster) doctorOnTerminal(t *testing.T, columns int) string {
	t.Helper()
	text, _ := c.onTerminal(t, uint16(columns), nil, "doctor")
	plain := onScreen(text)
	for line := range strings.Lines(plain) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > columns {
			t.Errorf("%d columns on a terminal of %d: %s", n, columns, line)
		}
	}
	return serverVersion.ReplaceAllString(dates.ReplaceAllString(plain, "YYYY-MM-DD"), "${1}vX.Y.Z")
}

func doctorFails(t *testing.T, c *cluster) {
	// Nothing is installed.
	results := c.diagnose(t, 2)
	verdict(t, results, "configuration", checks.Failed, "There is no such configuration", "kubectl apply -k")
	verdict(t, results, "namespaces", checks.Failed, "No namespace is served")
	verdict(t, results, "dry-run", checks.CannotTell, "No namespace is served")
	for _, check := range []string{"ca-bundle", "order", "deployment", "switches"} {
		verdict(t, results, check, checks.CannotTell)
	}

	// Things around it.
	c.served(t, "typo", "true")
	c.served(t, "meshed", "enabled")
	c.patchNamespace(t, "meshed", func(n *corev1.Namespace) { n.Annotations = map[string]string{"linkerd.io/inject": "enabled"} })
	c.patchNamespace(t, "kube-system", func(n *corev1.Namespace) { n.Labels["probeshift.dev/webhook"] = "enabled" })
	t.Cleanup(func() {
		c.patchNamespace(t, "kube-system", func(n *corev1.Namespace) { delete(n.Labels, "probeshift.dev/webhook") })
	})
	c.node(t, "ancient", "v1.23.17")
	c.node(t, "aging", "v1.28.4")
	c.node(t, "virtual", "v1.31.0-vk-aci-1.6.1", func(n *corev1.Node) { n.Labels = map[string]string{"type": "virtual-kubelet"} })
	c.behindService(t, 1, "--ports=any", "--grpc-probe-tls", "always")
	c.create(t, "meshed", legacy("older", "x"))

	// A configuration that cannot work: no answer, no trust, failurePolicy Fail.
	broken := startWebhook(t)
	fail := admissionv1.Fail
	path := "/mutate-v1-pod"
	broken.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: own, Name: "probeshift-webhook", Path: &path}}
	broken.Webhooks[1].FailurePolicy = &fail
	broken.Webhooks[1].Rules[0].Operations = []admissionv1.OperationType{admissionv1.Update}
	early := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "a-istio-injector"}}
	none := admissionv1.SideEffectClassNone
	ignore := admissionv1.Ignore
	nowhere := "https://127.0.0.1:1/inject"
	early.Webhooks = []admissionv1.MutatingWebhook{{
		Name: "sidecar.istio.example", ClientConfig: admissionv1.WebhookClientConfig{URL: &nowhere}, SideEffects: &none, FailurePolicy: &ignore,
		AdmissionReviewVersions: []string{"v1"}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"nobody": "here"}},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}},
	}}
	c.install(t, early)
	c.install(t, broken)
	c.nextSecond(t)
	c.create(t, "meshed", legacy("missed", "x"))
	c.create(t, "meshed", legacy("windows", "x", func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe.Exec.Command = []string{`C:\bin\grpc_health_probe.exe`, "-addr=:9000"}
		p.Spec.Containers[0].ReadinessProbe = nil
	}))

	results = c.diagnose(t, 2)
	verdict(t, results, "configuration", checks.Failed, "audit.probeshift.dev has failurePolicy Fail", "no rule for the creation of Pods")
	verdict(t, results, "ca-bundle", checks.Failed, "rewrite.probeshift.dev has no caBundle")
	verdict(t, results, "order", checks.Failed, "a-istio-injector sorts before", "Rename")
	verdict(t, results, "deployment", checks.Failed, "1 of 2 replicas ready", "kubectl -n probeshift describe pods")
	verdict(t, results, "switches", checks.OK, "--ports=any", "--grpc-probe-tls=always")
	verdict(t, results, "namespaces", checks.Failed, `Namespace typo has the value "true"`, "kube-system is labelled, but")
	verdict(t, results, "dry-run", checks.Failed, "without the status annotation")
	verdict(t, results, "missed", checks.Failed, "meshed deployment/missed: 1 Pod created", "1 Pod older than", "kubectl -n meshed rollout restart deployment/missed")
	if strings.Contains(strings.Join(results["missed"].Found, " "), "deployment/windows") {
		t.Error("a program that is not recognised counts as missed")
	}
	verdict(t, results, "meshes", checks.OK, "meshed is injected by Linkerd")
	verdict(t, results, "kubelets", checks.Failed, "Nodes older than 1.24: ancient", "Nodes older than 1.37: aging, ancient", "--grpc-probe-tls=never", "older than 1.29")
	verdict(t, results, "virtual-kubelets", checks.CannotTell, "virtual")
	verdict(t, results, "exec-timeout", checks.OK, "ExecProbeTimeout=false", "aging")
	verdict(t, results, "windows", checks.OK, "meshed deployment/windows")
	golden(t, "doctor-failed-80.txt", c.doctorOnTerminal(t, 80))
}

func (c *cluster) patchNamespace(t *testing.T, name string, change func(*corev1.Namespace)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	n, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	change(n)
	if _, err := c.client.CoreV1().Namespaces().Update(ctx, n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// nextSecond waits until Pods are created in another second than what is there:
// times of creation are whole seconds.
func (c *cluster) nextSecond(t *testing.T) {
	t.Helper()
	created := func() metav1.Time {
		pod, err := c.client.CoreV1().Pods("default").Create(t.Context(), legacy("clock", "x"), dryRun())
		if err != nil {
			t.Fatal(err)
		}
		return pod.CreationTimestamp
	}
	now := created()
	eventually(t, "a second has passed", func() bool { return created().After(now.Time) })
}

// user lets somebody of this name do what the rules say.
func (c *cluster) user(t *testing.T, name string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	if _, err := c.client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const group = "rbac.authorization.k8s.io"
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: group, Name: name}},
	}
	if _, err := c.client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// doctorWithoutRights runs doctor as somebody who may list webhook
// configurations and namespaces, and nothing else.
func doctorWithoutRights(t *testing.T, c *cluster) {
	c.user(t, "looker",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}},
		rbacv1.PolicyRule{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, Verbs: []string{"list"}})
	c.served(t, "locked", "enabled")
	c.install(t, startWebhook(t))
	c.waitCalled(t, "locked")
	var results map[string]checks.Result
	eventually(t, "the rights are in force", func() bool {
		results = c.diagnose(t, c.run(t, "doctor", "--as=looker").code, "--as=looker")
		return results["namespaces"].Verdict == checks.OK
	})
	verdict(t, results, "configuration", checks.OK)
	verdict(t, results, "dry-run", checks.CannotTell, "cannot create resource", "configuration, ca-bundle and deployment")
	for _, check := range []string{"missed", "kubelets", "virtual-kubelets", "exec-timeout", "windows"} {
		verdict(t, results, check, checks.CannotTell, "could not be read")
	}
}

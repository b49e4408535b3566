//go:build linux

package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/probeshift/probeshift/pkg/survey"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to write it anew)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// shop is a namespace with workloads of many kinds.
const shop = "shop"

func makeShop(t *testing.T, c *cluster) {
	t.Helper()
	c.namespace(t, shop, nil)
	yes := true
	for i := range 3 {
		c.start(t, c.create(t, shop, legacy("payments", fmt.Sprint("r", i))), "192.0.2.1", true)
	}
	c.create(t, shop, legacy("mailer", "x", func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = nil
		p.Spec.Containers[0].ReadinessProbe = nil
	}))
	c.create(t, shop, legacy("search", "x", func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe.Exec.Command = []string{"sh", "-c", "test -f /ready && grpc_health_probe -addr=:9000"}
	}))
	c.create(t, shop, legacy("opted", "x", func(p *corev1.Pod) { p.Labels["probeshift.dev/webhook"] = "disabled" }))
	c.create(t, shop, legacy("web", "x", func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe, p.Spec.Containers[0].ReadinessProbe = nil, nil
	}))
	c.create(t, shop, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "by-hand"}, Spec: legacy("by-hand", "x").Spec})
	job, err := c.client.BatchV1().Jobs(shop).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "report-29000000", OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "batch/v1", Kind: "CronJob", Name: "report", UID: "uid-report", Controller: &yes,
		}}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "server", Image: "registry.example/report:1"}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	asleep := legacy("asleep", "x")
	_, err = c.client.AppsV1().Deployments(shop).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "asleep"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "asleep"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "asleep"}}, Spec: asleep.Spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.create(t, shop, legacy("report", "x", func(p *corev1.Pod) {
		p.Labels = nil
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: &yes}}
		p.Spec.Containers[0].LivenessProbe = nil
		p.Spec.Containers[0].ReadinessProbe = probe(10, "-addr=:9000", "-service=very.long.package.name.v1.ReportService")
	}))
}

func auditTells(t *testing.T, c *cluster) {
	makeShop(t, c)
	table := c.expect(t, 2, "audit", "-n", shop)
	if table.stderr != "" {
		t.Errorf("stderr: %s", table.stderr)
	}
	golden(t, "audit-piped.txt", table.stdout)

	var report survey.Report
	decode(t, c.expect(t, 2, "audit", "-n", shop, "-o", "json"), &report)
	kinds := map[string]int{}
	for _, w := range report.Workloads {
		kinds[w.Kind]++
	}
	if kinds["Deployment"] != 5 || kinds["CronJob"] != 1 || kinds["Pod"] != 1 {
		t.Errorf("kinds of workloads: %v", kinds)
	}
	if report.Pods != 9 || report.Totals.WouldRewrite != 8 || report.Totals.Skipped != 2 || report.Totals.Held != 2 {
		t.Errorf("totals: %d Pods, %+v", report.Pods, report.Totals)
	}
	var again survey.Report
	decode(t, c.expect(t, 2, "audit", "-n", shop, "-o", "yaml"), &again)
	if again.Totals.WouldRewrite != report.Totals.WouldRewrite {
		t.Errorf("YAML says %+v", again.Totals)
	}

	// Selectors and flags of the policy.
	c.expect(t, 0, "audit", "-n", shop, "-l", "app=mailer")
	c.expect(t, 2, "audit", "-n", shop, "-l", "app=mailer", "--ports=any")
	contains(t, c.expect(t, 2, "audit", "-n", shop, "-l", "app=asleep").stdout, "deployment/asleep      0", "2 probes of 1 workload, in 0 Pods")
	c.expect(t, 0, "audit", "-n", "default")
	contains(t, c.expect(t, 1, "audit", "-n", "nosuch").stderr, `error: there is no namespace "nosuch"`)
	contains(t, c.expect(t, 1, "audit", "-n", shop, "--ports=some").stderr, `error: --ports="some" is not known: use declared or any`)
	contains(t, c.expect(t, 1, "audit", "-l", "a=="+"=b").stderr, "no label selector")
	contains(t, c.expect(t, 1, "audit", "-o", "xml").stderr, `"xml" is not known`)
	contains(t, c.expect(t, 1, "audit", "--server=https://127.0.0.1:1").stderr, "error: list Pods")
}

func auditOnTerminals(t *testing.T, c *cluster) {
	for _, columns := range []int{80, 200} {
		text, code := c.onTerminal(t, uint16(columns), nil, "audit", "-A")
		if code != 2 {
			t.Fatalf("code %d\n%s", code, text)
		}
		if !escapes.MatchString(text) {
			t.Errorf("no colours on a terminal:\n%s", text)
		}
		plain := onScreen(text)
		for line := range strings.Lines(plain) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > columns {
				t.Errorf("%d columns on a terminal of %d: %s", n, columns, line)
			}
		}
		golden(t, fmt.Sprintf("audit-%d.txt", columns), plain)

		bare, _ := c.onTerminal(t, uint16(columns), []string{"NO_COLOR=1"}, "audit", "-n", shop)
		if escapes.MatchString(bare) {
			t.Errorf("colours in spite of NO_COLOR:\n%q", bare)
		}
	}
}

// auditWithoutRights runs audit as somebody who may list Pods and nothing else.
func auditWithoutRights(t *testing.T, c *cluster) {
	c.user(t, "pod-looker", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
	eventually(t, "the rights are in force", func() bool { return c.run(t, "audit", "-n", shop, "--as=pod-looker").code == 2 })
	o := c.expect(t, 2, "audit", "-n", shop, "--as=pod-looker")
	contains(t, o.stdout, "Missing: workloads without Pods among Deployments, StatefulSets, DaemonSets, CronJobs", "job/report-29000000")
	contains(t, c.expect(t, 1, "audit", "-n", shop, "--as=nobody").stderr, "error: list Pods: pods is forbidden")
}

// many is how many Pods a large cluster has here.
const many = 5000

// auditOfManyPods reports memory and compares it with that of a tenth of the
// Pods: what is kept must not grow with the Pods.
func auditOfManyPods(t *testing.T, c *cluster) {
	c.namespace(t, "tenth", nil)
	c.namespace(t, "crowd", nil)
	var working sync.WaitGroup
	for worker := range 16 {
		working.Go(func() {
			for i := worker; i < many+many/10; i += 16 {
				namespace := "crowd"
				if i >= many {
					namespace = "tenth"
				}
				pod := legacy(fmt.Sprint("app", i%40), fmt.Sprint("p", i), func(p *corev1.Pod) {
					for n := range 40 { // as large as real ones
						p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprint("SETTING_", n), Value: strings.Repeat("x", 100)})
					}
				})
				pod.OwnerReferences[0].UID = types.UID(fmt.Sprint("uid-", i%40))
				if _, err := c.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	if t.Failed() {
		return
	}
	few := c.expect(t, 2, "audit", "-n", "tenth")
	start := time.Now()
	all := c.expect(t, 2, "audit", "-n", "crowd")
	took := time.Since(start)
	contains(t, all.stdout, "80 probes of 40 workloads, in 5,000 Pods looked at", "deployment/app0")
	t.Logf("resident memory: %d MiB for %d Pods, %d MiB for %d, in %s", few.memory>>20, many/10, all.memory>>20, many, took)
	if all.memory > 2*few.memory {
		t.Errorf("memory grows with the Pods: %d bytes for %d, %d for %d", few.memory, many/10, all.memory, many)
	}
	text, _ := c.onTerminal(t, 80, nil, "audit", "-n", "crowd")
	contains(t, text, "of 5000 Pods")
}

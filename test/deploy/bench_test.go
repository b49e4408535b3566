package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clients create Pods at the same time, and slice Pods before the next side's
// turn.
const (
	clients = 8
	slice   = 160
)

// BenchmarkPolicy measures what the policy costs: dry-run creates through a real
// API server, in a namespace where it holds and in one where it does not. The
// two take turns, so that what else the machine does meets both.
//
// It gives the cost in Pods a second (the median of the pairs), which takes a
// machine with nothing else to do, and in CPU time of kube-apiserver, which
// holds on a busy one too. No webhook is called here and nothing is stored,
// so a Pod costs the API server little and the policy's share is at its largest.
func BenchmarkPolicy(b *testing.B) {
	newAsker(b)
	config := rest.CopyConfig(cluster)
	config.WarningHandler = rest.NoWarnings{}
	c := newClient(b, config)
	server := serverProcess(b)
	for _, workload := range []struct {
		name string
		pod  *corev1.Pod
	}{
		{"small/http", loadPod(1, func(*corev1.Container) {})},
		{"small/rewritten", with(legacyPod(), func(p *corev1.Pod) { p.Annotations = map[string]string{statusAnnotation: "{}"} })},
		{"small/missed", legacyPod()},
		{"large/http", loadPod(20, func(*corev1.Container) {})},
		{"large/exec", loadPod(20, func(c *corev1.Container) {
			c.LivenessProbe = execContainer("", "/bin/health-check", "--address=:8080").ReadinessProbe
		})},
	} {
		b.Run(workload.name, func(b *testing.B) {
			var costs []float64
			var without, with turn
			for b.Loop() {
				off, on := createSlice(b, c, server, "shop-unlabelled", workload.pod), createSlice(b, c, server, "shop", workload.pod)
				without, with = without.plus(off), with.plus(on)
				costs = append(costs, 100*(1-off.took.Seconds()/on.took.Seconds()))
			}
			slices.Sort(costs)
			pods := float64(slice * len(costs))
			b.ReportMetric(pods/without.took.Seconds(), "pods/s-without")
			b.ReportMetric(pods/with.took.Seconds(), "pods/s-with")
			b.ReportMetric(costs[len(costs)/2], "%-cost-in-pods/s")
			b.ReportMetric(float64(without.cpu.Microseconds())/pods, "cpu-µs/pod-without")
			b.ReportMetric(float64(with.cpu.Microseconds())/pods, "cpu-µs/pod-with")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// turn is what slices of Pods took, by the clock and of the API server's CPU.
type turn struct{ took, cpu time.Duration }

func (t turn) plus(other turn) turn { return turn{t.took + other.took, t.cpu + other.cpu} }

// serverProcess is the directory in /proc of the API server.
func serverProcess(b *testing.B) string {
	b.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		stat, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(stat), "(kube-apiserver) ") && strings.Contains(string(stat), fmt.Sprintf(" %d ", os.Getpid())) {
			return name
		}
	}
	b.Fatal("kube-apiserver is not among the processes: this benchmark needs Linux")
	return ""
}

// cpu is the CPU time that a process has used, which Linux counts in
// hundredths of a second.
func cpu(b *testing.B, process string) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(process)
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat))
	var user, system int64
	if _, err := fmt.Sscan(fields[13]+" "+fields[14], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// loadPod is a Pod of n containers with two HTTP probes each and some
// variables, after a change of each container.
func loadPod(n int, change func(*corev1.Container)) *corev1.Pod {
	pod := podOf()
	for i := range n {
		probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}}
		c := corev1.Container{Name: fmt.Sprintf("server-%d", i), Image: "registry.example/server", LivenessProbe: probe, ReadinessProbe: probe}
		for v := range 10 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", v), Value: "some-value-of-a-setting"})
		}
		change(&c)
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	return pod
}

// createSlice creates one slice of Pods by all clients together.
func createSlice(b *testing.B, c client.Client, process, namespace string, pod *corev1.Pod) turn {
	b.Helper()
	begin, used := time.Now(), cpu(b, process)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range slice / clients {
				copied := pod.DeepCopy()
				copied.Namespace = namespace
				if err := c.Create(b.Context(), copied, client.DryRunAll); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return turn{time.Since(begin), cpu(b, process) - used}
}

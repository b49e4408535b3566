//go:build linux

package cli

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// standIn does for helper Pods of one node what a kubelet does: it runs their
// command, with this test binary as the program, tells of their end, and serves
// their logs to the API server.
type standIn struct {
	c    *cluster
	node string
	mu   sync.Mutex
	// logs are what Pods wrote, by the path that the API server asks for.
	logs map[string][]byte
}

// kubelet makes a node with a stand-in for its kubelet.
func (c *cluster) kubelet(t *testing.T, node string) {
	t.Helper()
	s := &standIn{c: c, node: node, logs: map[string][]byte{}}
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	port := server.Listener.Addr().(*net.TCPAddr).Port
	c.node(t, node, "v1.37.0")
	there, err := c.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	there.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	there.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	if _, err := c.client.CoreV1().Nodes().UpdateStatus(t.Context(), there, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var working sync.WaitGroup
	working.Go(func() { s.work(ctx, t) })
	t.Cleanup(func() { stop(); working.Wait() })
}

// ServeHTTP serves logs, at the kubelet's path.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.logs[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(text)
}

// work looks for helper Pods until the context ends.
func (s *standIn) work(ctx context.Context, t *testing.T) {
	done := map[string]bool{}
	for ctx.Err() == nil {
		pods, err := s.c.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=probeshift-verify"})
		for i := range pods.Items {
			pod := &pods.Items[i]
			if err == nil && pod.Spec.NodeName == s.node && !done[pod.Name] {
				done[pod.Name] = true
				s.runPod(ctx, t, pod)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// runPod runs a Pod to its end.
func (s *standIn) runPod(ctx context.Context, t *testing.T, pod *corev1.Pod) {
	container := pod.Spec.Containers[0]
	status := corev1.ContainerStatus{Name: container.Name, Image: container.Image}
	if strings.Contains(container.Image, "missing") {
		pod.Status.Phase = corev1.PodPending
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "the image is not there"}
	} else {
		if !pod.Spec.HostNetwork || container.Command[0] != "kubectl-probeshift" {
			t.Errorf("the helper Pod is not what it should be: %+v", pod.Spec)
		}
		program := exec.CommandContext(ctx, os.Args[0], container.Command[1:]...)
		program.Env = []string{asProgram + "=cli"}
		var output bytes.Buffer
		program.Stdout, program.Stderr = &output, &output
		if err := program.Run(); err != nil {
			t.Errorf("the helper: %v", err)
		}
		s.mu.Lock()
		s.logs["/containerLogs/"+pod.Namespace+"/"+pod.Name+"/"+container.Name] = output.Bytes()
		s.mu.Unlock()
		pod.Status.Phase = corev1.PodSucceeded
		status.State.Terminated = &corev1.ContainerStateTerminated{Reason: "Completed"}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	if _, err := s.c.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil && ctx.Err() == nil {
		t.Errorf("the helper's status: %v", err)
	}
}

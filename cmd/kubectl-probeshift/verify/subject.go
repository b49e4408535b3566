package verify

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/survey"
)

// subject is one probe of one running Pod.
type subject struct {
	namespace, pod, node string
	uid                  types.UID
	probe                survey.Probe
	target               kubeletprobe.Target
	patience             time.Duration
	before, after        kubeletprobe.Container
	answers              []kubeletprobe.Answer
	// failed is why it could not be probed.
	failed string
}

// subjects gathers subjects from Pods.
type subjects struct {
	survey *survey.Survey
	now    time.Time
	all    []*subject
	// skipped counts probes that stay exec, so that there is nothing to compare.
	skipped int
}

// add takes the probes of a Pod that are, or would be, native.
func (s *subjects) add(pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" || pod.DeletionTimestamp != nil {
		return
	}
	probes, _ := s.survey.Probes(pod)
	for i := range probes {
		p := &probes[i]
		if p.GRPC == nil {
			s.skipped++
			continue
		}
		target := kubeletprobe.Target{Address: pod.Status.PodIP, Port: p.GRPC.Port, TLS: p.GRPC.Mode != nil && *p.GRPC.Mode == corev1.GRPCProbeModeTLS, TimeoutSeconds: p.NewTimeoutSeconds}
		if p.GRPC.Service != nil {
			target.Service = *p.GRPC.Service
		}
		s.all = append(s.all, &subject{
			namespace: pod.Namespace, pod: pod.Name, node: pod.Spec.NodeName, uid: pod.UID,
			probe: *p, target: target, patience: patience(pod, p), before: container(pod, p.Container, s.now),
		})
	}
}

// patience is how long the kubelet takes to draw a conclusion from a probe: its
// delay, and as many periods as the threshold, and one more.
func patience(pod *corev1.Pod, p *survey.Probe) time.Duration {
	probe := survey.ProbeOf(pod, p.Container, p.Kind)
	if probe == nil {
		return 0
	}
	period, threshold := max(probe.PeriodSeconds, 1), max(probe.FailureThreshold, 1)
	if p.Kind == mutate.Readiness {
		threshold = max(probe.SuccessThreshold, 1)
	}
	return time.Duration(probe.InitialDelaySeconds+period*(threshold+1)) * time.Second
}

// container is what the kubelet made of a container.
func container(pod *corev1.Pod, name string, now time.Time) kubeletprobe.Container {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			s := &list[i]
			if s.Name != name {
				continue
			}
			c := kubeletprobe.Container{
				Running: s.State.Running != nil, Ready: s.Ready, Restarts: s.RestartCount,
				Started: s.Started == nil || *s.Started,
			}
			if c.Running {
				c.RunningFor = now.Sub(s.State.Running.StartedAt.Time)
			}
			return c
		}
	}
	return kubeletprobe.Container{}
}

// lookAgain reads the Pods once more, each one once, after the probes.
func lookAgain(ctx context.Context, client kubernetes.Interface, all []*subject, now func() time.Time) error {
	pods := map[types.UID]*corev1.Pod{}
	for _, s := range all {
		pod, read := pods[s.uid]
		if !read {
			there, err := client.CoreV1().Pods(s.namespace).Get(ctx, s.pod, metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
			case err != nil:
				return fmt.Errorf("read Pod %s/%s again: %w", s.namespace, s.pod, err)
			case there.UID == s.uid && there.Status.PodIP == s.target.Address && there.DeletionTimestamp == nil:
				pod = there
			}
			pods[s.uid] = pod
		}
		if pod != nil {
			s.after = container(pod, s.probe.Container, now())
		}
	}
	return nil
}

package verify

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/kubeletprobe"
	"github.com/probeshift/probeshift/pkg/survey"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// running is a Pod with a readiness probe of the tool, as its kubelet tells it.
func running(change ...func(*corev1.Pod)) *corev1.Pod {
	started := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid"},
		Spec: corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{
			Name: "server", Ports: []corev1.ContainerPort{{ContainerPort: 9000}},
			ReadinessProbe: &corev1.Probe{
				ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe", "-addr=:9000", "-service=s", "-rpc-timeout=3s"}}},
				InitialDelaySeconds: 20, TimeoutSeconds: 30, PeriodSeconds: 10, SuccessThreshold: 2, FailureThreshold: 3,
			},
		}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.7",
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "server", Ready: true, Started: &started, RestartCount: 2,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(-time.Minute))}},
			}},
		},
	}
	for _, f := range change {
		f(pod)
	}
	return pod
}

func gather(pods ...*corev1.Pod) *subjects {
	s := &subjects{now: noon, survey: survey.New(survey.Options{})}
	for _, pod := range pods {
		s.add(pod)
	}
	return s
}

func TestAProbeIsMadeAsTheNativeOneWouldBe(t *testing.T) {
	found := gather(running())
	if len(found.all) != 1 {
		t.Fatalf("%d subjects", len(found.all))
	}
	got := found.all[0]
	want := kubeletprobe.Target{Address: "10.0.0.7", Port: 9000, Service: "s", TimeoutSeconds: 4}
	if diff := cmp.Diff(want, got.target); diff != "" {
		t.Error(diff)
	}
	was := kubeletprobe.Container{Running: true, Ready: true, Started: true, RunningFor: time.Minute, Restarts: 2}
	if diff := cmp.Diff(was, got.before); diff != "" {
		t.Error(diff)
	}
	if got.patience != 50*time.Second { // 20 s, and periods for two successes and one more
		t.Errorf("patience %s", got.patience)
	}
}

func TestOnlyRunningPodsAreProbed(t *testing.T) {
	now := metav1.NewTime(noon)
	for name, change := range map[string]func(*corev1.Pod){
		"pending":            func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending },
		"ended":              func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"without an address": func(p *corev1.Pod) { p.Status.PodIP = "" },
		"on its way out":     func(p *corev1.Pod) { p.DeletionTimestamp = &now },
	} {
		t.Run(name, func(t *testing.T) {
			if found := gather(running(change)); len(found.all) != 0 || found.skipped != 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestAProbeThatStaysExecIsLeftOut(t *testing.T) {
	found := gather(running(func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }))
	if len(found.all) != 0 || found.skipped != 1 {
		t.Errorf("%+v", found)
	}
}

func TestAContainerIsReadAsItsKubeletTells(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   kubeletprobe.Container
	}{
		"it has no status": {func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }, kubeletprobe.Container{}},
		"it waits": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
			p.Status.ContainerStatuses[0].Ready = false
		}, kubeletprobe.Container{Started: true, Restarts: 2}},
		"it starts": {func(p *corev1.Pod) { *p.Status.ContainerStatuses[0].Started = false },
			kubeletprobe.Container{Running: true, Ready: true, RunningFor: time.Minute, Restarts: 2}},
		"it is a native sidecar": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses, nil
		}, kubeletprobe.Container{Running: true, Ready: true, Started: true, RunningFor: time.Minute, Restarts: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, container(running(tc.change), "server", noon)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAHelperPodIsGivenUpWhenItsKubeletHas(t *testing.T) {
	for reason, want := range map[string]bool{
		"ContainerCreating": false, "ErrImagePull": false, "ImagePullBackOff": true, "ErrImageNeverPull": true, "CreateContainerConfigError": true,
	} {
		pod := running(func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}}
		})
		text, hopeless := waiting(pod)
		if hopeless != want || text != reason+" because" {
			t.Errorf("%s: %q, hopeless %v", reason, text, hopeless)
		}
	}
	if text, hopeless := waiting(running()); hopeless || text != "" {
		t.Errorf("running: %q, hopeless %v", text, hopeless)
	}
}

func TestWhatAHelperNeedsIsAskedFor(t *testing.T) {
	whole := helper{namespace: "n", image: "i", timeout: time.Minute}
	for name, tc := range map[string]struct {
		helper   helper
		fromNode bool
		ok       bool
	}{
		"all of it":                {whole, true, true},
		"none, and none is needed": {helper{}, false, true},
		"no namespace":             {helper{image: "i", timeout: time.Minute}, true, false},
		"no image":                 {helper{namespace: "n", timeout: time.Minute}, true, false},
		"no time":                  {helper{namespace: "n", image: "i"}, true, false},
		"without --from-node":      {whole, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.helper.validate(tc.fromNode); (err == nil) != tc.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

package sidecar

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestWhereThePodListensIsSeen(t *testing.T) {
	tcp := func(host string, port int32) *corev1.TCPSocketAction {
		return &corev1.TCPSocketAction{Host: host, Port: intstr.FromInt32(port)}
	}
	http := func(port intstr.IntOrString) *corev1.HTTPGetAction { return &corev1.HTTPGetAction{Port: port} }
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: ContainerName, Ports: []corev1.ContainerPort{{ContainerPort: 15902}}},
			{Name: "agent", Ports: []corev1.ContainerPort{{ContainerPort: 1}}},
		},
		Containers: []corev1.Container{{
			Name: "app",
			Ports: []corev1.ContainerPort{
				{ContainerPort: 2, Protocol: corev1.ProtocolTCP}, {ContainerPort: 3, Protocol: corev1.ProtocolUDP}, {ContainerPort: 4, Name: "web"},
			},
			LivenessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 5}}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: http(intstr.FromInt32(6))}},
			StartupProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe", "-addr=localhost:7"}}}},
			Lifecycle: &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{HTTPGet: http(intstr.FromString("web"))},
				PreStop:   &corev1.LifecycleHandler{TCPSocket: tcp("127.0.0.1", 8)},
			},
		}, {
			Name:          "second",
			Ports:         []corev1.ContainerPort{{ContainerPort: 2}},
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: tcp("192.0.2.7", 9)}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{
				Command: []string{"hc", "-addr=:10"},
			}}},
		}},
	}}
	want := listeners{
		1:  "container agent declares it",
		2:  "container app declares it",
		4:  "container app declares it",
		5:  "container app has a liveness probe of it",
		6:  "container app has a readiness probe of it",
		7:  "container app has a startup probe of it",
		8:  "container app has a lifecycle hook for it",
		10: "container second has a readiness probe of it",
		11: "annotation lb.probeshift.dev/app-ports",
	}
	if diff := cmp.Diff(want, listenersOf(pod, []uint16{11}, []string{"hc"})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAFreePortIsOneThatNobodyHas(t *testing.T) {
	l := listeners{25000: "a", 25001: "b", 25003: "c"}
	if port, ok := l.free(); port != 25002 || !ok {
		t.Errorf("port %d, %v", port, ok)
	}
	for port := int32(firstFree); port <= lastFree; port++ {
		l.add(port, "d")
	}
	l.add(0, "nobody")
	l.add(70000, "nobody")
	if port, ok := l.free(); ok {
		t.Errorf("port %d of none", port)
	}
}

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEachExecProbeIsComparedWithWhatWasStored(t *testing.T) {
	service := "ledger"
	native := &corev1.Probe{
		TimeoutSeconds: 2,
		ProbeHandler:   corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000, Service: &service}},
	}
	slow := execProbe("grpc_health_probe")
	slow.TimeoutSeconds = 5
	pod := func(annotations map[string]string, c corev1.Container) *corev1.Pod {
		c.Name = "app"
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: annotations},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{c}},
		}
	}
	sent := pod(nil, corev1.Container{StartupProbe: native, LivenessProbe: slow, ReadinessProbe: slow})

	for name, tc := range map[string]struct {
		stored *corev1.Pod
		want   map[string]string
	}{
		"one rewritten with a service and a timeout, one skipped, one that was native before": {
			stored: pod(
				map[string]string{"probeshift.dev/status": `{"probes":{"app":{"readiness":{"outcome":"skipped","reason":"mesh"}}}}`},
				corev1.Container{StartupProbe: native, LivenessProbe: native, ReadinessProbe: slow}),
			want: map[string]string{
				"liveness":  "grpc, port 9000, service ledger, timeoutSeconds 2 (was 5)",
				"readiness": "exec, mesh",
			},
		},
		"a Pod that no webhook saw": {
			stored: sent,
			want:   map[string]string{"liveness": "exec, not seen by the webhook", "readiness": "exec, not seen by the webhook"},
		},
		"a status that cannot be read": {
			stored: pod(map[string]string{"probeshift.dev/status": "{"}, sent.Spec.Containers[0]),
			want:   map[string]string{"liveness": "exec, not seen by the webhook", "readiness": "exec, not seen by the webhook"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for _, c := range compare(sent, tc.stored) {
				got[c.kind] = c.String()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestACommandIsWrittenAsOneWouldTypeIt(t *testing.T) {
	for name, tc := range map[string]struct {
		words []string
		want  string
	}{
		"plain words stay":              {[]string{"/bin/grpc_health_probe", "-addr=:9000"}, "/bin/grpc_health_probe -addr=:9000"},
		"a reference is quoted":         {[]string{"-addr=:$(PORT)"}, "'-addr=:$(PORT)'"},
		"an empty word is seen":         {[]string{"env", ""}, "env ''"},
		"a NUL is seen, and no shell's": {[]string{"a\x00b"}, `"a\x00b"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (change{before: execProbe(tc.words...)}).command(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

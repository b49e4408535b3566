package healthprobe_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

func TestATraceEndsWhereTheReadingDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		command []string
		env     []corev1.EnvVar
		steps   []string
	}{
		"none of ours":                  {[]string{"cat", "/ready"}, nil, []string{"recognise"}},
		"a plain command":               {[]string{"grpc_health_probe", "-addr=:80"}, nil, []string{"recognise", "kubelet", "flags", "target", "budget"}},
		"a shell and its wrappers":      {[]string{"sh", "-c", "exec timeout 3 env A=b grpc_health_probe -addr=:80"}, nil, []string{"recognise", "kubelet", "shell", "timeout", "env", "flags", "target", "budget"}},
		"another wrapper":               {[]string{"tini", "grpc_health_probe", "-addr=:80"}, nil, []string{"recognise", "kubelet", "wrapper"}},
		"logic in a shell":              {[]string{"sh", "-c", "grpc_health_probe -addr=:80 | cat"}, nil, []string{"recognise", "kubelet", "shell"}},
		"a form of timeout":             {[]string{"timeout", "-t", "5", "grpc_health_probe", "-addr=:80"}, nil, []string{"recognise", "kubelet", "timeout"}},
		"a variable of the image":       {[]string{"sh", "-c", "grpc_health_probe -addr=$X"}, nil, []string{"recognise", "kubelet", "shell", "variables"}},
		"a variable of the container":   {[]string{"grpc_health_probe", "-addr=$(X)"}, []corev1.EnvVar{{Name: "X", Value: ":80"}}, []string{"recognise", "kubelet", "flags", "target", "budget"}},
		"a flag that the tool lacks":    {[]string{"grpc_health_probe", "-only-connect"}, nil, []string{"recognise", "kubelet", "flags"}},
		"a version":                     {[]string{"grpc_health_probe", "-version"}, nil, []string{"recognise", "kubelet", "flags"}},
		"TLS":                           {[]string{"grpc_health_probe", "-addr=:80", "-tls", "-tls-no-verify"}, nil, []string{"recognise", "kubelet", "flags", "native"}},
		"an address that never answers": {[]string{"grpc_health_probe", "-addr=80", "-gzip"}, nil, []string{"recognise", "kubelet", "flags", "target"}},
		"another host":                  {[]string{"grpc_health_probe", "-addr=db:80"}, nil, []string{"recognise", "kubelet", "flags", "target"}},
		"a long command":                {append([]string{"grpc_health_probe"}, slices.Repeat([]string{"-v"}, 600)...), nil, []string{"recognise", "kubelet"}},
	} {
		t.Run(name, func(t *testing.T) {
			container := healthprobe.Container{Env: tc.env}
			reading, steps := healthprobe.Reader{}.Trace(tc.command, container)
			if diff := cmp.Diff(healthprobe.Reader{}.Read(tc.command, container), reading); diff != "" {
				t.Errorf("the trace reads otherwise (-Read +Trace):\n%s", diff)
			}
			var names []string
			for i, s := range steps {
				names = append(names, s.Name)
				if s.Reason != reason.None && (i < len(steps)-1 || s.Reason != reading.Reason) {
					t.Errorf("step %s ends with %s, the reading with %s", s.Name, s.Reason, reading.Reason)
				}
				if s.Rule == "" || s.Found == "" {
					t.Errorf("step %s does not say what it did", s.Name)
				}
			}
			if diff := cmp.Diff(tc.steps, names); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if reading.Reason != reason.None && steps[len(steps)-1].Reason != reading.Reason {
				t.Errorf("the last step does not tell the reason %s", reading.Reason)
			}
		})
	}
}

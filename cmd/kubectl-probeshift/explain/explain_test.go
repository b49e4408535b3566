package explain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/explain"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/test/cases"
)

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := explain.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// told is what -o json says.
type told struct {
	Probes []struct {
		Place  string
		Steps  []struct{ Name, Rule, Found, Stops string }
		Result struct {
			Outcome mutate.Outcome
			Reason  reason.Code
			GRPC    *cases.GRPC
			Remedy  string
		}
	}
}

// TestEveryGoldenCaseIsExplained holds the explanations against the findings of the
// cases that drive the webhook.
func TestEveryGoldenCaseIsExplained(t *testing.T) {
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	explained := 0
	for _, c := range all {
		var want cases.Report
		if err := yaml.UnmarshalStrict([]byte(c.Findings), &want); err != nil {
			t.Fatal(err)
		}
		if c.Flags.Audit || want.Reinvoked || len(want.Findings) == 0 { // a namespace and earlier calls are the webhook's
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			args := append(flagsOf(c.Flags), "-f", filepath.Join("..", "..", "..", "test", "cases", c.Name, "pod.yaml"), "-o", "json")
			output, err := run(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			var got told
			if err := json.Unmarshal([]byte(output), &got); err != nil {
				t.Fatalf("%v in\n%s", err, output)
			}
			if len(got.Probes) != len(want.Findings) {
				t.Fatalf("%d probes are explained, of %d", len(got.Probes), len(want.Findings))
			}
			for i, f := range want.Findings {
				p := got.Probes[i]
				last := p.Steps[len(p.Steps)-1]
				if p.Result.Reason != f.Reason || last.Stops != string(f.Reason) {
					t.Errorf("%s: reason %q, the last step %s stops with %q, want %q", p.Place, p.Result.Reason, last.Name, last.Stops, f.Reason)
				}
				if (p.Result.GRPC == nil) != (f.GRPC == nil) || f.GRPC != nil && *p.Result.GRPC != *f.GRPC {
					t.Errorf("%s: becomes %+v, want %+v", p.Place, p.Result.GRPC, f.GRPC)
				}
				for _, s := range p.Steps {
					if s.Rule == "" || s.Found == "" {
						t.Errorf("%s: step %s does not say what it did", p.Place, s.Name)
					}
				}
				if f.Reason != reason.None && p.Result.Remedy == "" {
					t.Errorf("%s: there is no remedy", p.Place)
				}
				explained++
			}
		})
	}
	if explained < 150 {
		t.Errorf("only %d probes were explained", explained)
	}
}

func flagsOf(f cases.Flags) []string {
	var args []string
	for name, value := range map[string]string{
		"ports": f.Ports, "mesh": f.Mesh, "ip-family": f.IPFamily, "grpc-probe-tls": f.GRPCProbeTLS, "bare-pods": f.BarePods,
	} {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	if f.PodIPFamily == 6 {
		args = append(args, "--pod-ip-family=6")
	}
	for _, name := range f.ToolNames {
		args = append(args, "--tool-name="+name)
	}
	for _, name := range f.MeshProxyNames {
		args = append(args, "--mesh-proxy-name="+name)
	}
	return args
}

func TestACommandIsExplainedWithoutAManifest(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		says []string
	}{
		"a plain command": {[]string{"--", "grpc_health_probe", "-addr=:9000"},
			[]string{"port 9000 is taken as declared", "becomes\n    grpc:\n      port: 9000\n      service: \"\"\n    timeoutSeconds: 1\n"}},
		"a shell with a variable": {[]string{"--env", "PORT=9000", "--timeout-seconds=9", "--", "sh", "-c", "exec grpc_health_probe -addr=:$PORT"},
			[]string{"= grpc_health_probe -addr=:9000", "it was 9s, the tool takes at most 2s: it becomes 2s"}},
		"what stops it": {[]string{"--", "sh", "-c", "grpc_health_probe -addr=:9000 | cat"},
			[]string{"stays exec: shell-logic\n", "why: The shell does more", "fix: Reduce the script"}},
		"the host's network": {[]string{"--host-network", "--", "grpc_health_probe", "-addr=:9000"},
			[]string{"stays exec: host-network", "fix: If the server listens"}},
		"one word": {[]string{"--", "grpc_health_probe -addr=:9000"},
			[]string{"fix: It is one word", "-- grpc_health_probe -addr=:9000\n"}},
		"none of ours": {[]string{"--", "cat", "/ready"}, []string{"none of the tool's"}},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := run(t, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.says {
				if !strings.Contains(output, want) {
					t.Errorf("it does not say %q:\n%s", want, output)
				}
			}
		})
	}
}

func TestWhatCannotBeReadIsExplainedToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deployment.yaml")
	text := "kind: {{ .Kind }}\nspec:\n{{ if }}\n  exec:\n    command: [grpc_health_probe, -addr=:{{ .Port }}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := run(t, "-f", file)
	if err != nil || !strings.Contains(output, ":4:3:") || !strings.Contains(output, "port: {{ .Port }}") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestWrongUseIsNamedWithTheRemedy(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"nothing":        {nil, "write a command behind two dashes"},
		"both":           {[]string{"-f", empty, "--", "x"}, "write a command behind two dashes"},
		"no probe":       {[]string{"-f", empty}, "holds no exec probe of grpc_health_probe: name another file"},
		"empty stdin":    {[]string{"-f", "-"}, "the command before the pipe may have failed"},
		"no such file":   {[]string{"-f", "no/such"}, "no/such: there is no such file or directory"},
		"a directory":    {[]string{"-f", t.TempDir()}, "is a directory: name one of its files, or use migrate -f"},
		"no dashes":      {[]string{"grpc_health_probe", "-addr=:9000"}, "put -- before the command"},
		"an odd env":     {[]string{"--env", "PORT", "--", "grpc_health_probe"}, "write NAME=VALUE"},
		"a word":         {[]string{"--mesh", "no", "--", "grpc_health_probe"}, "use respect or ignore"},
		"a path that is": {[]string{"-f", empty, "--path", "x"}, "write [GROUP/]KIND=FIELD.FIELD"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := run(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

func TestATemplateIsNotJudgedAsIfItWereRendered(t *testing.T) {
	for file, text := range map[string]string{
		"values.yaml":     "probe: {exec: {command: [grpc_health_probe, '-addr=:{{ .Values.port }}']}}\n",
		"deployment.yaml": pod("-addr=:{{ .Values.port }}"),
		"pod.yaml.tpl":    pod("-addr=:9000"),
	} {
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := run(t, "-f", path)
		if err != nil || !strings.Contains(output, "This is a template") || strings.Contains(output, "always") {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
	}
}

// pod is a Pod whose probe has a word.
func pod(word string) string {
	return `apiVersion: v1
kind: Pod
metadata: {name: cart}
spec:
  containers:
  - name: server
    ports: [{containerPort: 9000}]
    livenessProbe:
      exec:
        command: [grpc_health_probe, "` + word + `"]
`
}

func TestAPathThatLeadsNowhereIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.yaml")
	text := "kind: Worker\nspec: {template: {spec: {containers: [{name: a, livenessProbe: {exec: {command: [grpc_health_probe, -addr=:9]}}}]}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"Worker=spec.tmpl":     "(nothing is at spec.tmpl)",
		"Worker=spec":          "(no Pod template is at spec)",
		"worker=spec.template": "warning: --path=worker=spec.template: no document is of kind worker",
	} {
		output, err := run(t, "-f", file, "--path", path)
		if err != nil || !strings.Contains(output, says) || !strings.Contains(output, "stays exec: unknown-kind") {
			t.Errorf("%s: %v\n%s", path, err, output)
		}
	}
}

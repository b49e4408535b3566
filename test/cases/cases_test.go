package cases_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/test/cases"
)

var update = flag.Bool("update", false, "write patch.json and findings.yaml as the rules now have them")

func load(t *testing.T) []cases.Case {
	t.Helper()
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryCaseIsComplete(t *testing.T) {
	if *update {
		writeGoldenFiles(t)
		return
	}
	for _, c := range load(t) {
		if c.Patch == "" || c.Findings == "" {
			t.Errorf("%s has no patch.json or no findings.yaml: run go test ./test/cases -update", c.Name)
		}
		if first, err := os.ReadFile(filepath.Join(c.Name, "pod.yaml")); err != nil || !strings.HasPrefix(string(first), "# ") {
			t.Errorf("%s: pod.yaml does not begin with a comment that says what it shows (%v)", c.Name, err)
		}
	}
}

// writeGoldenFiles writes both files of every case.
func writeGoldenFiles(t *testing.T) {
	t.Helper()
	for _, c := range load(t) {
		result := mutate.Mutate(c.Pod, c.Flags.Policy())
		patch, err := cases.PatchFile(result.Operations)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := cases.FindingsFile(result)
		if err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string]string{"patch.json": patch, "findings.yaml": findings} {
			if err := os.WriteFile(filepath.Join(c.Name, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEveryReasonHasACase(t *testing.T) {
	seen := map[reason.Code]bool{
		// No Pod provokes it: pkg/mutate proves it by itself.
		reason.InternalError: true,
	}
	remarks := map[mutate.RemarkCode]bool{}
	outcomes := map[mutate.Outcome]bool{}
	for _, c := range load(t) {
		var report cases.Report
		if err := yaml.UnmarshalStrict([]byte(c.Findings), &report); err != nil {
			t.Fatalf("%s: findings.yaml: %v", c.Name, err)
		}
		for _, f := range report.Findings {
			seen[f.Reason], outcomes[f.Outcome] = true, true
		}
		for _, r := range report.Remarks {
			remarks[r.Code] = true
		}
	}
	for _, entry := range reason.All() {
		if !seen[entry.Code] {
			t.Errorf("no case shows the reason %s", entry.Code)
		}
	}
	for _, code := range []mutate.RemarkCode{mutate.BadAnnotation, mutate.NamespaceAudits, mutate.BarePodRewritten} {
		if !remarks[code] {
			t.Errorf("no case shows the remark %s", code)
		}
	}
	for _, outcome := range []mutate.Outcome{mutate.Rewritten, mutate.WouldRewrite, mutate.Restored, mutate.Skipped} {
		if !outcomes[outcome] {
			t.Errorf("no case shows the outcome %s", outcome)
		}
	}
}

// toolFlags are those of grpc_health_probe v0.4.40, as its main.go defines
// them, and the two with which Go's flag package prints the usage.
func toolFlags() []string {
	return strings.Fields(`addr service user-agent connect-timeout rpc-header rpc-timeout tls tls-no-verify tls-ca-cert
		tls-client-cert tls-client-key tls-server-name alts v version gzip spiffe h`)
}

func TestEveryFlagOfTheToolHasACase(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range load(t) {
		for _, container := range c.Pod.Spec.Containers {
			if container.ReadinessProbe == nil || container.ReadinessProbe.Exec == nil {
				continue
			}
			for _, word := range container.ReadinessProbe.Exec.Command {
				name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
				if strings.HasPrefix(word, "-") {
					seen[name] = true
				}
			}
		}
	}
	for _, name := range toolFlags() {
		if !seen[name] {
			t.Errorf("no case has the tool's flag -%s", name)
		}
	}
}

package admission

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

func resultWith(operations ...jsonpatch.Operation) mutate.Result {
	return mutate.Result{Operations: operations}
}

func finding(container string, probe mutate.ProbeKind, outcome mutate.Outcome, code reason.Code, detail string) mutate.Finding {
	return mutate.Finding{
		Container: container, Probe: probe, Outcome: outcome, Reason: code, Detail: detail,
		Command: []string{"env", "TOKEN=hunter2", "grpc_health_probe", "-rpc-header=hunter2: x"},
	}
}

func skippedFindings(n int) []mutate.Finding {
	findings := make([]mutate.Finding, 0, n)
	for i := range n {
		findings = append(findings, finding(fmt.Sprintf("c%d", i), mutate.Liveness, mutate.Skipped, reason.TLS, ""))
	}
	return findings
}

func known(f mutate.Finding) mutate.Finding {
	f.Known = true
	return f
}

func TestWarnings(t *testing.T) {
	tests := map[string]struct {
		remarks  []mutate.Remark
		findings []mutate.Finding
		want     []string
	}{
		"a rewritten probe makes none": {
			findings: []mutate.Finding{finding("app", mutate.Readiness, mutate.Rewritten, "", "")},
		},
		"the other outcomes make one each": {
			findings: []mutate.Finding{
				finding("app", mutate.Readiness, mutate.Skipped, reason.PortNotDeclared, "port 9000"),
				finding("app", mutate.Liveness, mutate.Restored, reason.Mesh, "linkerd-proxy"),
				finding("app", mutate.Startup, mutate.WouldRewrite, "", ""),
			},
			want: []string{
				"probeshift: app readiness probe left as exec: port-not-declared (port 9000)",
				"probeshift: app liveness probe is exec again: mesh (linkerd-proxy)",
				"probeshift: app startup probe would become grpc",
			},
		},
		"remarks come first": {
			remarks:  []mutate.Remark{{Code: mutate.BadAnnotation, Text: "probeshift.dev/prots is not known"}},
			findings: skippedFindings(1),
			want: []string{
				"probeshift: bad-annotation: probeshift.dev/prots is not known",
				"probeshift: c0 liveness probe left as exec: tls",
			},
		},
		"a line is cut before 120 bytes": {
			findings: []mutate.Finding{finding("app", mutate.Readiness, mutate.Skipped, reason.ShellLogic, strings.Repeat("é", 100))},
			want:     []string{"probeshift: app readiness probe left as exec: shell-logic (" + strings.Repeat("é", 28) + "..."},
		},
		"a long container name leaves the code readable": {
			findings: []mutate.Finding{finding(strings.Repeat("n", 63), mutate.Readiness, mutate.Skipped, reason.UnresolvedVariable, "HOST")},
			want:     []string{"probeshift: " + strings.Repeat("n", 37) + "... readiness probe left as exec: unresolved-variable (HOST)"},
		},
		"control characters and broken UTF-8 stay on one line": {
			findings: []mutate.Finding{finding("a\nb\x00\u2028\xff\u202e", mutate.Startup, mutate.Skipped, reason.TLS, "\x7f")},
			want:     []string{`probeshift: a\nb\x00\u2028` + "\ufffd" + `\u202e startup probe left as exec: tls (\x7f)`},
		},
		"ten are all told": {
			findings: skippedFindings(10),
			want:     warnings(nil, nil, skippedFindings(10)),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, warnings(nil, test.remarks, test.findings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("beyond ten the last tells how many more", func(t *testing.T) {
		got := warnings(nil, nil, skippedFindings(12))
		if len(got) != 10 || got[8] != "probeshift: c8 liveness probe left as exec: tls" || got[9] != "probeshift: and 3 more" {
			t.Errorf("warnings: %q", got)
		}
	})
}

func FuzzOneLine(f *testing.F) {
	f.Add("app\n", 10)
	f.Add("\xff\u202e", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 3 || limit > 1000 {
			return
		}
		got := oneLine(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("oneLine(%q, %d) = %q", s, limit, got)
		}
	})
}

func TestAuditAnnotations(t *testing.T) {
	findings := []mutate.Finding{
		finding("app", mutate.Readiness, mutate.Rewritten, "", ""),
		finding("app", mutate.Liveness, mutate.Rewritten, "", ""),
		finding("side", mutate.Readiness, mutate.Skipped, reason.TLSVerified, "-tls-ca-cert"),
		finding("side", mutate.Liveness, mutate.Restored, reason.Mesh, ""),
		finding("side", mutate.Startup, mutate.WouldRewrite, "", ""),
	}
	tests := map[string]struct {
		reinvoked bool
		want      []annotation
	}{
		"on the first call": {false, []annotation{
			{"rewritten", "app/readiness, app/liveness"},
			{"would-rewrite", "side/startup"},
			{"skipped", "side/readiness=tls-verified"},
			{"restored", "side/liveness=mesh"},
		}},
		"on a later call": {true, []annotation{
			{"later-rewritten", "app/readiness, app/liveness"},
			{"later-would-rewrite", "side/startup"},
			{"later-skipped", "side/readiness=tls-verified"},
			{"restored", "side/liveness=mesh"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := annotations(test.reinvoked, findings)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(annotation{})); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a long list is cut with a count", func(t *testing.T) {
		got := annotations(false, skippedFindings(2000))
		if len(got) != 1 || len(got[0].value) > maxAnnotation+100 || !strings.HasSuffix(got[0].value, " more") {
			t.Errorf("annotations: %q", got)
		}
	})
}

func TestFindingIsToldOnce(t *testing.T) {
	f := newFixture(found(mutate.Result{
		Reinvoked: true,
		Findings: []mutate.Finding{
			known(finding("old", mutate.Liveness, mutate.Skipped, reason.TLS, "")),
			finding("new", mutate.Liveness, mutate.Skipped, reason.Gzip, ""),
		},
	}))
	response := answerOf(t, f.post(reviewOf(legacyPod)))
	if diff := cmp.Diff([]string{"probeshift: new liveness probe left as exec: gzip"}, response.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"later-skipped": "new/liveness=gzip"}, response.AuditAnnotations); diff != "" {
		t.Errorf("audit annotations (-want +got):\n%s", diff)
	}
	if strings.Contains(f.log.String(), "old") || !strings.Contains(f.log.String(), "new") {
		t.Errorf("log: %s", f.log)
	}
	want := `
# HELP probeshift_probe_findings_total Exec probes of grpc_health_probe by what became of them, without dry runs.
# TYPE probeshift_probe_findings_total counter
probeshift_probe_findings_total{outcome="skipped",probe="liveness",reason="gzip"} 1
`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(want), "probeshift_probe_findings_total"); err != nil {
		t.Error(err)
	}
}

func TestKnownFindingsAloneMakeNoLogLine(t *testing.T) {
	f := newFixture(found(mutate.Result{
		Reinvoked: true,
		Findings:  []mutate.Finding{known(finding("old", mutate.Liveness, mutate.Skipped, reason.TLS, ""))},
	}))
	f.post(reviewOf(legacyPod))
	if f.log.Len() > 0 {
		t.Errorf("log: %s", f.log)
	}
	if got := f.counted(unchanged); got != 1 {
		t.Errorf("unchanged counted %v times", got)
	}
}

func TestDryRunCountsTheRequestButNoFinding(t *testing.T) {
	f := newFixture(found(mutate.Result{Findings: skippedFindings(1)}))
	f.post(reviewOf(legacyPod, `"dryRun":false`, `"dryRun":true`))
	if got := testutil.CollectAndCount(f.Metrics.findings); got != 0 {
		t.Errorf("%d series of findings", got)
	}
	if got := f.counted(unchanged); got != 1 {
		t.Errorf("unchanged counted %v times", got)
	}
	if !strings.Contains(f.log.String(), `"dryRun":true`) {
		t.Errorf("log: %s", f.log)
	}
}

func TestInternalErrorFindingsAreCounted(t *testing.T) {
	f := newFixture(found(mutate.Result{Findings: []mutate.Finding{
		finding("app", mutate.Liveness, mutate.Skipped, reason.InternalError, ""),
	}}))
	f.post(reviewOf(legacyPod))
	if got := testutil.ToFloat64(f.Metrics.internalErrors); got != 1 {
		t.Errorf("internal errors: %v", got)
	}
}

func TestMetricsAreNamedAndHelpful(t *testing.T) {
	f := newFixture()
	f.post(reviewOf(legacyPod))
	problems, err := testutil.GatherAndLint(f.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("problems %v, error %v", problems, err)
	}
	if got := testutil.ToFloat64(f.Metrics.inFlight); got != 0 {
		t.Errorf("in flight after the request: %v", got)
	}
}

// secretPod holds secrets wherever the tool's users put them.
const secretPod = `{
	"metadata": {"name": "pay", "annotations": {"note": "hunter2"}},
	"spec": {"containers": [{
		"name": "app",
		"env": [{"name": "TOKEN", "value": "hunter2"}, {"name": "PORT", "value": "9000"}],
		"ports": [{"containerPort": 9000}],
		"readinessProbe": {"exec": {"command": ["grpc_health_probe", "-addr=:9000", "-rpc-header=authorization: hunter2"]}},
		"livenessProbe": {"exec": {"command": ["env", "TOKEN=hunter2", "grpc_health_probe", "-addr=:9000"]}},
		"startupProbe": {"exec": {"command": ["sh", "-c", "curl -H hunter2 x && grpc_health_probe -addr=:$PORT -service=$TOKEN"]}}
	}]}
}`

func TestNothingSecretIsTold(t *testing.T) {
	for name, object := range map[string]string{
		"a Pod that is decided":           secretPod,
		"a secret as the host":            strings.Replace(secretPod, `"-addr=:9000", "-rpc`, `"-addr=user:hunter2@host:9000", "-rpc`, 1),
		"a secret as an unknown flag":     strings.Replace(secretPod, `"-rpc-header=authorization: hunter2"`, `"-token=hunter2"`, 1),
		"a secret as the port":            strings.Replace(secretPod, `"-addr=:9000", "-rpc`, `"-addr=:$(TOKEN)", "-rpc`, 1),
		"a secret of the wrong type":      strings.Replace(secretPod, `"9000"`, `["hunter2"]`, 1),
		"a secret before the JSON breaks": strings.Replace(secretPod, `"9000"`, `"hunter2`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			recorder := f.post(reviewOf(object))
			response := answerOf(t, recorder)
			if f.log.Len() == 0 {
				t.Error("nothing was logged")
			}
			told := fmt.Sprint(f.log, response.Warnings, response.AuditAnnotations)
			if strings.Contains(told, "hunter2") {
				t.Errorf("told: %s", told)
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	f := newFixture()
	f.post(reviewOf(legacyPod))
	for _, part := range []string{
		`"msg":"probes decided"`, `"path":"/mutate-v1-pod"`, `"uid":"` + testUID + `"`, `"namespace":"shop"`, `"name":"shop-6f9-"`,
		`{"container":"app","probe":"liveness","outcome":"skipped","reason":"port-not-declared","detail":"port 9001"}`,
		`{"container":"app","probe":"readiness","outcome":"rewritten"}`,
	} {
		if !strings.Contains(f.log.String(), part) {
			t.Errorf("no %s in %s", part, f.log)
		}
	}
	if lines := strings.Count(f.log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines", lines)
	}
}

func TestLogLineOfManyFindingsIsBounded(t *testing.T) {
	f := newFixture(found(mutate.Result{Findings: skippedFindings(60)}))
	f.post(reviewOf(legacyPod))
	if strings.Contains(f.log.String(), `"c50"`) || !strings.Contains(f.log.String(), `"more":10`) {
		t.Errorf("log: %s", f.log)
	}
}

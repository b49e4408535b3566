package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestAnythingElseThatChangesIsNoticed spoils the outcome of an edit in one place
// each.
func TestAnythingElseThatChangesIsNoticed(t *testing.T) {
	const before = `kind: Pod
metadata: &m {name: a}
labels: *m
spec:
  containers:
  - name: server
    args: [x, "1"]
    livenessProbe:
      exec: {command: [a]}
      timeoutSeconds: 5
      periodSeconds: 3
`
	const after = `kind: Pod
metadata: &m {name: a}
labels: *m
spec:
  containers:
  - name: server
    args: [x, "1"]
    livenessProbe:
      grpc: {port: 80, service: ""}
      timeoutSeconds: 2
      periodSeconds: 3
`
	wanted := &changes{}
	wanted.add([]string{"spec", "containers", "0", "livenessProbe"}, &change{
		grpc: &corev1.GRPCAction{Port: 80, Service: new("")}, timeout: "2",
	})
	check := func(t *testing.T, text string) error {
		t.Helper()
		olds, err := parse([]byte(before))
		if err != nil {
			t.Fatal(err)
		}
		news, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return compare(olds, news, []*changes{wanted})
	}
	if err := check(t, after); err != nil {
		t.Fatalf("the right outcome is refused: %v", err)
	}
	for name, tc := range map[string]struct{ from, to, says string }{
		"a value":                {"kind: Pod", "kind: Job", "became"},
		"a type":                 {`"1"`, `1`, "became"},
		"an item more":           {`[x, "1"]`, `[x, "1", y]`, "entries"},
		"a field less":           {"    args: [x, \"1\"]\n", "", "fields"},
		"another field":          {"args:", "command:", "is gone"},
		"what an alias names":    {"labels: *m", "labels: {name: b}", "became"},
		"a document more":        {"kind: Pod\n", "---\n---\nkind: Pod\n", "documents"},
		"another port":           {"port: 80", "port: 81", "not what was decided"},
		"a port as text":         {"port: 80", `port: "80"`, "not what was decided"},
		"another service":        {`service: ""`, "service: x", "not what was decided"},
		"no service":             {`, service: ""`, "", "not what was decided"},
		"a field of the handler": {`service: ""`, `service: "", mode: TLS`, "not what was decided"},
		"another timeout":        {"timeoutSeconds: 2", "timeoutSeconds: 3", "not what was decided"},
		"another period":         {"periodSeconds: 3", "periodSeconds: 4", "became"},
		"a second handler":       {"      periodSeconds", "      exec: {command: [a]}\n      periodSeconds", "fields"},
		"the old handler":        {"grpc: {port: 80, service: \"\"}", "exec: {command: [a]}", "has no grpc"},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := strings.Replace(after, tc.from, tc.to, 1)
			if spoiled == after {
				t.Fatal("nothing was spoiled")
			}
			if err := check(t, spoiled); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

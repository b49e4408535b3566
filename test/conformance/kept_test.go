package conformance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// keptCase is an entry of testdata/kept.json.
type keptCase struct {
	// Why is a sentence.
	Why     string          `json:"why"`
	Command []string        `json:"command"`
	Env     []corev1.EnvVar `json:"env,omitempty"`
	Pod     pod             `json:"pod,omitzero"`
}

// Every difference that was ever found stays here.
func TestKeptCasesShowNoDifference(t *testing.T) {
	var cases []keptCase
	if err := json.Unmarshal([]byte(readFile(t, "testdata/kept.json")), &cases); err != nil {
		t.Fatal(err)
	}
	shells := newShells(t)
	row := count{what: "kept cases"}
	for _, c := range cases {
		t.Run(c.Why, func(t *testing.T) {
			row.judged(c.Pod.read(c.Command, c.Env))
			if problem := c.difference(t, shells); problem != "" {
				row.differences++
				t.Error(problem)
			}
		})
	}
	totals.add(row)
}

// difference compares a command with what a shell, or without one the tool,
// makes of it.
func (c keptCase) difference(t *testing.T, shells *shells) string {
	t.Helper()
	if slices.Contains(notReduced, c.Pod.read(c.Command, c.Env).Reason) {
		return ""
	}
	last := len(c.Command) - 1
	if tool := slices.Index(c.Command, "grpc_health_probe"); tool >= 0 {
		return compare(t, newOracle(t, processEnv(c.Env, pod{})...), line{Prefix: c.Command[:tool], Args: c.Command[tool+1:], Env: c.Env})
	}
	return shells.difference(t, script{Shell: c.Command[:last], Text: c.Command[last], Env: c.Env, Pod: c.Pod})
}

// kept writes a command as an entry of testdata/kept.json.
func kept(c keptCase) string {
	var entry strings.Builder
	encoder := json.NewEncoder(&entry)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(entry.String())
}

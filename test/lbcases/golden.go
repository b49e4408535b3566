package lbcases

import (
	"fmt"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/golden"
)

// Report is the content of outcome.yaml. The tags are for writing in this order
// (yaml) and for reading strictly (json).
type Report struct {
	Outcome   sidecar.Outcome `json:"outcome" yaml:"outcome,omitempty"`
	Problems  []Note          `json:"problems" yaml:"problems,omitempty"`
	Warnings  []Note          `json:"warnings" yaml:"warnings,omitempty"`
	Upstreams []Upstream      `json:"upstreams" yaml:"upstreams,omitempty"`
}

// Note is a problem, with its remedy, or a warning.
type Note struct {
	Code   sidecar.Code `json:"code" yaml:"code"`
	Text   string       `json:"text" yaml:"text"`
	Remedy string       `json:"remedy" yaml:"remedy,omitempty"`
}

// Upstream is one upstream: what is dialled, where that arrives, and who is
// behind it. The backend is known of a Pod that is or would be injected.
type Upstream struct {
	Name    string `json:"name" yaml:"name"`
	Dialled string `json:"dialled" yaml:"dialled"`
	Listen  string `json:"listen" yaml:"listen"`
	Backend string `json:"backend" yaml:"backend,omitempty"`
	// Discovery is what discovery calls the backend.
	Discovery string `json:"discovery" yaml:"discovery,omitempty"`
}

// NewReport is what outcome.yaml has to say of a result.
func NewReport(result sidecar.Result) Report {
	report := Report{Outcome: result.Outcome}
	for _, p := range result.Problems {
		report.Problems = append(report.Problems, Note{p.Code, p.Text, p.Remedy})
	}
	for _, w := range result.Warnings {
		report.Warnings = append(report.Warnings, Note{Code: w.Code, Text: w.Text})
	}
	for i, u := range result.Status.Upstreams {
		upstream := Upstream{Name: u.Name, Dialled: u.Dialled, Listen: u.Listen.String()}
		if i < len(result.Config.Upstreams) {
			members := result.Config.Upstreams[i].Members
			upstream.Backend = fmt.Sprintf("%s:%d", members.Host, members.Port)
			upstream.Discovery = members.Resource
		}
		report.Upstreams = append(report.Upstreams, upstream)
	}
	return report
}

// OutcomeFile is the content of outcome.yaml for a result.
func OutcomeFile(result sidecar.Result) (string, error) {
	text, err := golden.YAML(NewReport(result))
	if err != nil {
		return "", fmt.Errorf("write outcome.yaml: %w", err)
	}
	return text, nil
}

// PatchFile is the content of patch.json for a result.
func PatchFile(result sidecar.Result) (string, error) {
	if len(result.Operations) == 0 {
		return "[]\n", nil
	}
	text, err := golden.JSON(shortened(result))
	if err != nil {
		return "", fmt.Errorf("write patch.json: %w", err)
	}
	return text, nil
}

// shortened are the operations without what Envoy is told and hashes over it.
func shortened(result sidecar.Result) []jsonpatch.Operation {
	operations := slices.Clone(result.Operations)
	hash := strings.NewReplacer(result.Status.Hash, "(hash)", result.Status.Asked, "(hash)")
	for i := range operations {
		switch value := operations[i].Value.(type) {
		case corev1.Container:
			operations[i].Value = withoutConfiguration(value)
		case []corev1.Container:
			operations[i].Value = []corev1.Container{withoutConfiguration(value[0])}
		case string:
			operations[i].Value = hash.Replace(value)
		}
	}
	return operations
}

func withoutConfiguration(c corev1.Container) corev1.Container {
	c.Args = slices.Clone(c.Args)
	c.Args[1] = "(what Envoy is told)"
	return c
}

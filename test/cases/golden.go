package cases

import (
	"fmt"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/test/golden"
)

// Report is the content of findings.yaml. The tags are for writing in this order
// (yaml) and for reading strictly (json).
type Report struct {
	Findings []Finding `json:"findings" yaml:"findings,omitempty"`
	Remarks  []Remark  `json:"remarks" yaml:"remarks,omitempty"`
	// Reinvoked says that the Pod already carried our status.
	Reinvoked bool `json:"reinvoked" yaml:"reinvoked,omitempty"`
}

// Finding is a mutate.Finding as findings.yaml holds it.
type Finding struct {
	Container         string           `json:"container" yaml:"container"`
	Probe             mutate.ProbeKind `json:"probe" yaml:"probe"`
	Outcome           mutate.Outcome   `json:"outcome" yaml:"outcome"`
	Reason            reason.Code      `json:"reason" yaml:"reason,omitempty"`
	Detail            string           `json:"detail" yaml:"detail,omitempty"`
	Sentence          string           `json:"sentence" yaml:"sentence"`
	Known             bool             `json:"known" yaml:"known,omitempty"`
	Command           []string         `json:"command" yaml:"command"`
	TimeoutSeconds    int32            `json:"timeoutSeconds" yaml:"timeoutSeconds,omitempty"`
	GRPC              *GRPC            `json:"grpc" yaml:"grpc,omitempty"`
	NewTimeoutSeconds int32            `json:"newTimeoutSeconds" yaml:"newTimeoutSeconds,omitempty"`
}

// GRPC is a native probe's handler.
type GRPC struct {
	Port    int32  `json:"port" yaml:"port"`
	Service string `json:"service" yaml:"service"`
	Mode    string `json:"mode" yaml:"mode,omitempty"`
}

// Remark is a mutate.Remark as findings.yaml holds it.
type Remark struct {
	Code mutate.RemarkCode `json:"code" yaml:"code"`
	Text string            `json:"text" yaml:"text"`
}

// NewReport is what findings.yaml has to say of a decision.
func NewReport(result mutate.Result) Report {
	report := Report{Reinvoked: result.Reinvoked}
	for _, f := range result.Findings {
		report.Findings = append(report.Findings, Finding{
			Container: f.Container, Probe: f.Probe, Outcome: f.Outcome, Reason: f.Reason, Detail: f.Detail,
			Sentence: f.Sentence(), Known: f.Known, Command: f.Command, TimeoutSeconds: f.TimeoutSeconds,
			GRPC: newGRPC(f), NewTimeoutSeconds: f.NewTimeoutSeconds,
		})
	}
	for _, r := range result.Remarks {
		report.Remarks = append(report.Remarks, Remark{Code: r.Code, Text: r.Text})
	}
	return report
}

// newGRPC is nil where a finding has no native probe. A service that is not
// written out is shown as such, so that no case passes without it.
func newGRPC(f mutate.Finding) *GRPC {
	if f.GRPC == nil {
		return nil
	}
	g := &GRPC{Port: f.GRPC.Port, Service: "(not written out)"}
	if f.GRPC.Service != nil {
		g.Service = *f.GRPC.Service
	}
	if f.GRPC.Mode != nil {
		g.Mode = string(*f.GRPC.Mode)
	}
	return g
}

// PatchFile is the content of patch.json for these operations.
func PatchFile(operations []jsonpatch.Operation) (string, error) {
	if len(operations) == 0 {
		return "[]\n", nil
	}
	text, err := golden.JSON(operations)
	if err != nil {
		return "", fmt.Errorf("write patch.json: %w", err)
	}
	return text, nil
}

// FindingsFile is the content of findings.yaml for a decision.
func FindingsFile(result mutate.Result) (string, error) {
	text, err := golden.YAML(NewReport(result))
	if err != nil {
		return "", fmt.Errorf("write findings.yaml: %w", err)
	}
	return text, nil
}

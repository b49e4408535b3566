package cases

import (
	"embed"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/golden"
)

//go:embed */*
var folders embed.FS

// Case is one folder.
type Case struct {
	golden.Case
	// Flags are the content of policy.yaml.
	Flags Flags
	// Findings is the content of findings.yaml, empty where there is no such file
	// yet.
	Findings string
}

// Flags are a policy in the words of the webhook's flags. What is empty is at
// its default.
type Flags struct {
	Ports          string   `json:"ports,omitempty"`
	Mesh           string   `json:"mesh,omitempty"`
	IPFamily       string   `json:"ip-family,omitempty"`
	PodIPFamily    int      `json:"pod-ip-family,omitempty"`
	GRPCProbeTLS   string   `json:"grpc-probe-tls,omitempty"`
	BarePods       string   `json:"bare-pods,omitempty"`
	ToolNames      []string `json:"tool-name,omitempty"`
	MeshProxyNames []string `json:"mesh-proxy-name,omitempty"`
	// Audit is no flag: it says that the namespace is labelled "audit".
	Audit bool `json:"audit,omitempty"`
}

// Policy is what the flags mean to a decision.
func (f Flags) Policy() mutate.Policy {
	return mutate.Policy{
		Audit:          f.Audit,
		AnyPort:        f.Ports == "any",
		IgnoreMesh:     f.Mesh == "ignore",
		IgnoreIPFamily: f.IPFamily == "ignore",
		IPv6:           f.PodIPFamily == 6,
		TLSProbes:      f.GRPCProbeTLS == "always",
		SkipBarePods:   f.BarePods == "skip",
		ToolNames:      f.ToolNames,
		MeshProxies:    f.MeshProxyNames,
	}
}

// Load reads every case, in the order of their names. Fields that nobody knows
// are errors.
func Load() ([]Case, error) { return golden.Load(folders, load) }

func load(folder golden.Folder) (c Case, err error) {
	c.Case = folder.Case
	if err := folder.Settings("policy.yaml", &c.Flags); err != nil {
		return c, err
	}
	c.Findings, err = folder.Text("findings.yaml")
	return c, err
}

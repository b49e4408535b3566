package cases

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
)

//go:embed */*
var folders embed.FS

// Case is one folder.
type Case struct {
	// Name is the folder's name.
	Name string
	// JSON is the Pod as JSON, with nothing added to what pod.yaml holds.
	JSON []byte
	// Pod is the same Pod, decoded.
	Pod *corev1.Pod
	// Flags are the content of policy.yaml.
	Flags Flags
	// Patch and Findings are the contents of patch.json and findings.yaml,
	// empty where there is no such file yet.
	Patch, Findings string
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
// are errors, so that a typing error does not make a case empty.
func Load() ([]Case, error) {
	entries, err := fs.ReadDir(folders, ".")
	if err != nil {
		return nil, fmt.Errorf("list the cases: %w", err)
	}
	all := make([]Case, 0, len(entries))
	for _, entry := range entries {
		c, err := load(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", entry.Name(), err)
		}
		all = append(all, c)
	}
	return all, nil
}

func load(name string) (Case, error) {
	c := Case{Name: name, Pod: &corev1.Pod{}}
	written, err := folders.ReadFile(path.Join(name, "pod.yaml"))
	if err != nil {
		return c, err
	}
	if c.JSON, err = yaml.YAMLToJSONStrict(written); err != nil {
		return c, fmt.Errorf("pod.yaml: %w", err)
	}
	// From the JSON, as an API server would read it: YAML's own reader would
	// take off for a string where a string is wanted.
	decoder := json.NewDecoder(bytes.NewReader(c.JSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c.Pod); err != nil {
		return c, fmt.Errorf("pod.yaml: %w", err)
	}
	flags, err := optional(name, "policy.yaml")
	if err != nil {
		return c, err
	}
	if err := yaml.UnmarshalStrict([]byte(flags), &c.Flags); err != nil {
		return c, fmt.Errorf("policy.yaml: %w", err)
	}
	if c.Patch, err = optional(name, "patch.json"); err != nil {
		return c, err
	}
	c.Findings, err = optional(name, "findings.yaml")
	return c, err
}

// optional reads a file that need not be there.
func optional(name, file string) (string, error) {
	content, err := folders.ReadFile(path.Join(name, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return string(content), nil
}

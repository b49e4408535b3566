package lbcases

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar"
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
	// Patch and Outcome are the contents of patch.json and outcome.yaml, empty
	// where there is no such file yet.
	Patch, Outcome string
}

// Flags are a policy in words. What is empty is at its default.
type Flags struct {
	ClusterDomain string `json:"cluster-domain,omitempty"`
	IPv6          bool   `json:"ipv6,omitempty"`
	// Audit says that the namespace is labelled "audit".
	Audit bool `json:"audit,omitempty"`
	// APIServer is the release of the API server.
	APIServer string `json:"api-server,omitempty"`
}

// Policy is what the flags mean to an injection.
func (f Flags) Policy() (sidecar.Policy, error) {
	policy := sidecar.DefaultPolicy()
	policy.IPv6, policy.Audit = f.IPv6, f.Audit
	if f.ClusterDomain != "" {
		policy.ClusterDomain = f.ClusterDomain
	}
	if f.APIServer == "" {
		return policy, nil
	}
	var err error
	policy.APIServer, err = version.ParseGeneric(f.APIServer)
	return policy, err
}

// Inject decides about the case's Pod.
func (c Case) Inject() (sidecar.Result, error) {
	policy, err := c.Flags.Policy()
	if err != nil {
		return sidecar.Result{}, fmt.Errorf("policy.yaml: %w", err)
	}
	return sidecar.Inject(c.Pod, c.Pod.Namespace, policy), nil
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
	c.Outcome, err = optional(name, "outcome.yaml")
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

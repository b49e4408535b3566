package lbcases

import (
	"embed"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/golden"
)

//go:embed */*
var folders embed.FS

// ca is a certificate of some discovery's.
//
//go:embed ca.pem
var ca string

// Case is one folder.
type Case struct {
	golden.Case
	// Flags are the content of policy.yaml.
	Flags Flags
	// Outcome is the content of outcome.yaml, empty where there is no such file
	// yet.
	Outcome string
}

// Flags are a policy in words. What is empty is at its default.
type Flags struct {
	ClusterDomain string `json:"cluster-domain,omitempty"`
	IPv6          bool   `json:"ipv6,omitempty"`
	// Audit says that the namespace is labelled "audit".
	Audit bool `json:"audit,omitempty"`
	// APIServer is the release of the API server.
	APIServer string `json:"api-server,omitempty"`
	// Discovery says that sidecars follow discovery: "known", or "unknown" as
	// before its CA is.
	Discovery string `json:"discovery,omitempty"`
}

// Policy is what the flags mean to an injection.
func (f Flags) Policy() (sidecar.Policy, error) {
	policy := sidecar.DefaultPolicy()
	policy.IPv6, policy.Audit = f.IPv6, f.Audit
	if f.ClusterDomain != "" {
		policy.ClusterDomain = f.ClusterDomain
	}
	switch f.Discovery {
	case "":
	case "known":
		policy.Discovery = &sidecar.Discovery{
			Host: "probeshift-discovery.probeshift.svc." + policy.ClusterDomain + ".", Port: 18000,
			ServerName: "probeshift-discovery.probeshift.svc", CA: ca, CheckInterval: 5 * time.Second,
		}
	case "unknown":
		policy.Discovery = &sidecar.Discovery{}
	default:
		return policy, fmt.Errorf("discovery is %q, not known or unknown", f.Discovery)
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
// are errors.
func Load() ([]Case, error) { return golden.Load(folders, load) }

func load(folder golden.Folder) (c Case, err error) {
	c.Case = folder.Case
	if err := folder.Settings("policy.yaml", &c.Flags); err != nil {
		return c, err
	}
	c.Outcome, err = folder.Text("outcome.yaml")
	return c, err
}

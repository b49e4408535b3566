package envtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/probeshift/probeshift/test/cases"
)

// The minors of Kubernetes since when an API server knows something.
const (
	minorResize           = 33 // the subresource resize is on by default
	minorHostnameOverride = 34 // spec.hostnameOverride
	minorPodResources     = 34 // spec.resources
	minorPolicies         = 36 // MutatingAdmissionPolicy
	minorTLSProbes        = 37 // the gate GRPCContainerProbeTLS
)

// serverMinor is the minor version of the API server that KUBEBUILDER_ASSETS
// names: the newest one, or the oldest one that the manifests are for.
func serverMinor(t *testing.T) int {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal(`KUBEBUILDER_ASSETS is not set: run it by make, or first: export KUBEBUILDER_ASSETS="$(hack/apiserver/assets)"`)
	}
	said, err := exec.CommandContext(t.Context(), filepath.Join(assets, "kube-apiserver"), "--version").Output()
	if err != nil {
		t.Fatalf("ask kube-apiserver for its version: %v", err)
	}
	found := regexp.MustCompile(`v1\.(\d+)\.`).FindSubmatch(said)
	if found == nil {
		t.Fatalf("kube-apiserver says %q, which holds no version", said)
	}
	minor, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return minor
}

// knownTo are the golden cases whose fields an API server of that minor knows;
// it drops the others without a word.
func knownTo(minor int, all []cases.Case) []cases.Case {
	return slices.DeleteFunc(slices.Clone(all), func(c cases.Case) bool {
		return minor < minorTLSProbes && c.Flags.GRPCProbeTLS != "" ||
			minor < minorHostnameOverride && c.Pod.Spec.HostnameOverride != nil
	})
}

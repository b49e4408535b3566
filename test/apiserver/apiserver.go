// Package apiserver starts a real kube-apiserver with its etcd on loopback, for
// tests, the demo and the benchmarks. No controller and no kubelet runs there:
// a Pod that is created stays as it was admitted.
package apiserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// AssetsVariable is the environment variable that names the directory holding
// kube-apiserver and etcd.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// remedy is what to do about missing programs.
const remedy = `run it by make, or first: export ` + AssetsVariable + `="$(hack/apiserver/assets)"`

// startTimeout is how long each of the two programs may take to come up; a
// busy machine with few cores needs more than envtest's 20 seconds.
const startTimeout = time.Minute

// Options say how the API server is started; the zero value will do.
type Options struct {
	// Flags are further flags of kube-apiserver, without the leading dashes:
	// {"feature-gates": {"GRPCContainerProbeTLS=true"}}. Each replaces a
	// default of the same name.
	Flags map[string][]string
	// Output receives what kube-apiserver and etcd print. Default: only the
	// last of it is kept, for the error of a start that failed.
	Output io.Writer
}

// Server is a running API server.
type Server struct {
	// Config connects as a member of system:masters.
	Config      *rest.Config
	environment *envtest.Environment
}

// Start starts etcd and kube-apiserver from the directory that
// KUBEBUILDER_ASSETS names and returns when the API server answers. It fails
// when the programs are not there or do not come up.
func Start(options Options) (*Server, error) {
	if err := checkAssets(os.Getenv(AssetsVariable)); err != nil {
		return nil, err
	}
	var last Tail
	output := options.Output
	if output == nil {
		output = &last
	}
	environment := &envtest.Environment{ControlPlaneStartTimeout: startTimeout}
	configure(environment, output, options.Flags)

	config, err := environment.Start()
	if err != nil {
		err = fmt.Errorf("starting kube-apiserver and etcd: %w\n%s", err, last.String())
		return nil, errors.Join(err, environment.Stop())
	}
	return &Server{Config: config, environment: environment}, nil
}

// Stop ends kube-apiserver and etcd and removes their data.
func (s *Server) Stop() error {
	if err := s.environment.Stop(); err != nil {
		return fmt.Errorf("stopping kube-apiserver and etcd: %w", err)
	}
	return nil
}

// WriteKubeconfig writes a kubeconfig with the rights of Config to path,
// readable by the user alone.
func (s *Server) WriteKubeconfig(path string) error {
	if err := os.WriteFile(path, s.environment.KubeConfig, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// configure sets where both programs print to and with what flags they run.
func configure(environment *envtest.Environment, output io.Writer, flags map[string][]string) {
	etcd := &envtest.Etcd{Out: output, Err: output}
	// The data does not outlive the process, so nothing need reach the disk.
	etcd.Configure().Set("unsafe-no-fsync", "true")
	environment.ControlPlane.Etcd = etcd

	server := environment.ControlPlane.GetAPIServer()
	server.Out, server.Err = output, output
	for name, values := range flags {
		server.Configure().Set(name, slices.Clone(values)...)
	}
}

// checkAssets says what is missing in dir, and the remedy.
func checkAssets(dir string) error {
	if dir == "" {
		return fmt.Errorf("%s is not set, so there is no kube-apiserver to start: %s", AssetsVariable, remedy)
	}
	for _, program := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return fmt.Errorf("%s is not what it should be: %w: %s", AssetsVariable, err, remedy)
		}
	}
	return nil
}

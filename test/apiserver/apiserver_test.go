package apiserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/probeshift/probeshift/test/apiserver"
)

func TestMissingProgramsAreNamedWithTheRemedy(t *testing.T) {
	empty := t.TempDir()
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, "kube-apiserver"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		assets string
		says   string
	}{
		"the variable is not set":            {"", "KUBEBUILDER_ASSETS is not set"},
		"the directory is empty":             {empty, filepath.Join(empty, "kube-apiserver")},
		"the directory holds one of the two": {half, filepath.Join(half, "etcd")},
		"there is no such directory":         {filepath.Join(empty, "gone"), filepath.Join(empty, "gone")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(apiserver.AssetsVariable, tc.assets)
			_, err := apiserver.Start(apiserver.Options{})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range []string{tc.says, "hack/apiserver/assets"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

func TestAFailedStartShowsWhatTheProgramSaid(t *testing.T) {
	dir := t.TempDir()
	for _, program := range []string{"kube-apiserver", "etcd"} {
		script := "#!/bin/sh\necho the disk of " + program + " is on fire >&2\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(apiserver.AssetsVariable, dir)
	_, err := apiserver.Start(apiserver.Options{})
	if err == nil {
		t.Fatal("it started")
	}
	if want := "the disk of etcd is on fire"; !strings.Contains(err.Error(), want) {
		t.Errorf("the error does not say %q: %v", want, err)
	}
}

// The one test of this package that needs the real programs: through make they
// are there, and without them it fails and says how to get them.
func TestAServerAnswersAsItsFlagsSay(t *testing.T) {
	server, err := apiserver.Start(apiserver.Options{
		Flags: map[string][]string{"feature-gates": {"GRPCContainerProbeTLS=true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := server.WriteKubeconfig(path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	metrics, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `kubernetes_feature_enabled{name="GRPCContainerProbeTLS",stage="ALPHA"} 1`; !strings.Contains(string(metrics), want) {
		t.Errorf("the API server's metrics do not hold %s: the flag did not reach it", want)
	}
}

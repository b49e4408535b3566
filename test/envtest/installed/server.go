package installed

import (
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
)

// APIServer starts an API server, which runs until the test ends, and returns it
// with a client of all rights and that client's configuration.
func APIServer(t *testing.T, options apiserver.Options) (*apiserver.Server, *rest.Config, kubernetes.Interface) {
	t.Helper()
	server, err := apiserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := rest.CopyConfig(server.Config)
	config.QPS = -1 // no limit of the client's own
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return server, config, client
}

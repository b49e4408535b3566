package installed

import (
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig writes a kubeconfig with a token of a ServiceAccount, as a Pod gets
// one, and returns its path. The config is one that may make tokens, and says
// where the API server is.
func Kubeconfig(t *testing.T, config *rest.Config, namespace, account string) string {
	t.Helper()
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	granted, err := admin.CoreV1().ServiceAccounts(namespace).CreateToken(
		t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	written := clientcmdapi.NewConfig()
	written.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	written.AuthInfos["account"] = &clientcmdapi.AuthInfo{Token: granted.Status.Token}
	written.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "account"}
	written.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*written, path); err != nil {
		t.Fatal(err)
	}
	return path
}

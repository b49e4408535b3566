package discovery

import (
	"path/filepath"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
	"github.com/probeshift/probeshift/test/envtest/installed"
)

const (
	// manifests is the directory that is applied.
	manifests = "../../../deploy/webhook"

	// The names in the manifests that this package needs to know.
	ownNamespace     = "probeshift"
	webhookAccount   = "probeshift-webhook"
	discoveryAccount = "probeshift-discovery"
	caName           = "probeshift-discovery-ca" // of the Secret and of the ConfigMap
	serverName       = "probeshift-discovery.probeshift.svc"

	// patience is how long something may take that happens by itself.
	patience = time.Minute
	interval = 20 * time.Millisecond
)

// cluster is a running API server.
type cluster struct {
	config *rest.Config
	client kubernetes.Interface
	// admin is a kubeconfig with all rights.
	admin string
}

// startCluster starts an API server.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	server, config, client := installed.APIServer(t, apiserver.Options{})
	c := &cluster{config: config, client: client, admin: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := server.WriteKubeconfig(c.admin); err != nil {
		t.Fatal(err)
	}
	return c
}

// install creates the objects of files of the manifests.
func (c *cluster) install(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		installed.Create(t, c.config, installed.Read(t, manifests, file))
	}
}

// granted waits until the API server goes by a right.
func (c *cluster) granted(t *testing.T, account string, attributes authorizationv1.ResourceAttributes) {
	t.Helper()
	eventually(t, account+" has its rights", func() bool {
		review, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: user(account), ResourceAttributes: &attributes},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	})
}

// user is a ServiceAccount as the API server names it.
func user(account string) string { return "system:serviceaccount:" + ownNamespace + ":" + account }

// namespace makes a namespace that the webhook is switched on for.
func (c *cluster) namespace(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"probeshift.dev/webhook": "enabled"},
	}}
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// kubeconfig writes a kubeconfig of a ServiceAccount that connects to the API
// server at the given URL, and returns its path.
func (c *cluster) kubeconfig(t *testing.T, account, url string) string {
	t.Helper()
	config := rest.CopyConfig(c.config)
	config.Host = url
	return installed.Kubeconfig(t, config, ownNamespace, account)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

package life

import (
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
	"github.com/probeshift/probeshift/test/envtest/installed"
)

const (
	// manifests is the directory that is applied.
	manifests = "../../../deploy/webhook"

	// The names in the manifests that this package needs to know.
	ownNamespace      = "probeshift"
	account           = "probeshift-webhook"
	secretName        = "probeshift-ca"
	configurationName = "grpc-probeshift"

	// user is the ServiceAccount as the API server names it.
	user = "system:serviceaccount:" + ownNamespace + ":" + account
)

// cluster is a running API server.
type cluster struct {
	config *rest.Config
	client kubernetes.Interface
	// auditLog is the file of the API server's audit log.
	auditLog string
}

// startCluster starts an API server with an audit log and native TLS probes.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	policy, err := filepath.Abs("testdata/audit-policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{auditLog: filepath.Join(t.TempDir(), "audit.log")}
	_, c.config, c.client = installed.APIServer(t, apiserver.Options{Flags: map[string][]string{
		"feature-gates":     {"GRPCContainerProbeTLS=true"},
		"audit-policy-file": {policy},
		"audit-log-path":    {c.auditLog},
	}})
	return c
}

// install creates the objects of a file of the manifests, as they are.
func (c *cluster) install(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	objects := installed.Read(t, manifests, file)
	installed.Create(t, c.config, objects)
	return objects
}

// grant creates the roles and bindings of a file of the manifests, waits until
// the API server goes by them, and returns the rights that they give.
func (c *cluster) grant(t *testing.T, file string) []right {
	t.Helper()
	rights := rightsOf(t, c.install(t, file))
	c.awaitRights(t, user, rights)
	return rights
}

// awaitRights waits until the API server goes by the rights of a user.
func (c *cluster) awaitRights(t *testing.T, user string, rights []right) {
	t.Helper()
	for _, r := range rights {
		eventually(t, user+" may "+r.String(), func() bool {
			review, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: r.namespace, Group: r.group, Resource: r.resource, Name: r.name, Verb: r.verb,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return review.Status.Allowed
		}, nil)
	}
}

// configuration is that of the manifests, calling one replica for the Pods that
// are rewritten and another for those that are only audited, so that both have
// something to tell.
func configuration(t *testing.T, rewrite, audit *replica) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	object := typed[admissionv1.MutatingWebhookConfiguration](t, installed.Read(t, manifests, "70-mutatingwebhookconfiguration.yaml")[0])
	for i, r := range []*replica{rewrite, audit} {
		called := &object.Webhooks[i].ClientConfig
		url := "https://" + r.address + *called.Service.Path
		*called = admissionv1.WebhookClientConfig{URL: &url}
	}
	return object
}

// namespace makes a namespace with a value of the webhook's label.
func (c *cluster) namespace(t *testing.T, name, mode string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"probeshift.dev/webhook": mode},
	}}
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// kubeconfig writes a kubeconfig of a ServiceAccount and returns its path.
func (c *cluster) kubeconfig(t *testing.T, account string) string {
	t.Helper()
	return installed.Kubeconfig(t, c.config, ownNamespace, account)
}

package life

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/probeshift/probeshift/test/apiserver"
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
	server, err := apiserver.Start(apiserver.Options{Flags: map[string][]string{
		"feature-gates":     {"GRPCContainerProbeTLS=true"},
		"audit-policy-file": {policy},
		"audit-log-path":    {c.auditLog},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.config = rest.CopyConfig(server.Config)
	c.config.QPS = -1 // no limit of the client's own
	c.config.WarningHandler = rest.NoWarnings{}
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatal(err)
	}
	return c
}

// install creates the objects of a file of the manifests, as they are.
func (c *cluster) install(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	plain, err := client.New(c.config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(plain, metav1.FieldValidationStrict)
	objects := read(t, file)
	for _, object := range objects {
		if err := strict.Create(t.Context(), object.DeepCopy()); err != nil {
			t.Fatalf("create %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	return objects
}

// grant creates the roles and bindings of a file of the manifests, waits until
// the API server goes by them, and returns the rights that they give.
func (c *cluster) grant(t *testing.T, file string) []right {
	t.Helper()
	rights := rightsOf(t, c.install(t, file))
	for _, r := range rights {
		eventually(t, "the webhook may "+r.String(), func() bool {
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
	return rights
}

// read returns the objects of a file of the manifests.
func read(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(manifests, file))
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), len(content)); ; {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if object.Object != nil { // not a comment between two objects
			all = append(all, &object)
		}
	}
}

// configuration is that of the manifests, calling one replica for the Pods that
// are rewritten and another for those that are only audited, so that both have
// something to tell.
func configuration(t *testing.T, rewrite, audit *replica) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	object := typed[admissionv1.MutatingWebhookConfiguration](t, read(t, "70-mutatingwebhookconfiguration.yaml")[0])
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

// kubeconfig writes a kubeconfig with a token of the ServiceAccount, as a Pod
// gets one, and returns its path.
func (c *cluster) kubeconfig(t *testing.T) string {
	t.Helper()
	granted, err := c.client.CoreV1().ServiceAccounts(ownNamespace).CreateToken(
		t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.config.Host, CertificateAuthorityData: c.config.CAData}
	config.AuthInfos["webhook"] = &clientcmdapi.AuthInfo{Token: granted.Status.Token}
	config.Contexts["webhook"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "webhook"}
	config.CurrentContext = "webhook"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

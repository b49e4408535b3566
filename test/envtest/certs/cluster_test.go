package certs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
	"github.com/probeshift/probeshift/test/envtest/installed"
)

// manifests is where the files to deploy are.
const manifests = "../../../deploy/webhook"

// cluster is a running API server with the webhook's namespace and rights.
type cluster struct {
	config *rest.Config
	client kubernetes.Interface
}

// startCluster starts an API server and applies the namespace and the rights.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	_, config, client := installed.APIServer(t, apiserver.Options{})
	c := &cluster{config: config, client: client}
	c.namespace(t, "probeshift", nil)
	c.namespace(t, "shop", map[string]string{"probeshift.dev/webhook": "enabled"})
	c.rights(t)
	return c
}

func (c *cluster) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	must(t)(c.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}
	must(t)(c.client.CoreV1().ServiceAccounts(name).Create(t.Context(), account, metav1.CreateOptions{}))
}

// rights creates the RBAC objects of the manifests.
func (c *cluster) rights(t *testing.T) {
	t.Helper()
	rbac := c.client.RbacV1()
	for _, document := range documents(t, "30-rbac.yaml") {
		switch kind(t, document) {
		case "Role":
			role := decode[rbacv1.Role](t, document)
			must(t)(rbac.Roles(role.Namespace).Create(t.Context(), &role, metav1.CreateOptions{}))
		case "RoleBinding":
			binding := decode[rbacv1.RoleBinding](t, document)
			must(t)(rbac.RoleBindings(binding.Namespace).Create(t.Context(), &binding, metav1.CreateOptions{}))
		case "ClusterRole":
			role := decode[rbacv1.ClusterRole](t, document)
			must(t)(rbac.ClusterRoles().Create(t.Context(), &role, metav1.CreateOptions{}))
		case "ClusterRoleBinding":
			binding := decode[rbacv1.ClusterRoleBinding](t, document)
			must(t)(rbac.ClusterRoleBindings().Create(t.Context(), &binding, metav1.CreateOptions{}))
		default:
			t.Fatalf("30-rbac.yaml holds a %s", kind(t, document))
		}
	}
}

// asWebhook returns a client configuration with the webhook's rights.
func (c *cluster) asWebhook() *rest.Config {
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:probeshift:probeshift-webhook",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	return config
}

// configuration returns the manifests' configuration, calling an address
// outside of the cluster.
func configuration(t *testing.T, base string) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	all := documents(t, "70-mutatingwebhookconfiguration.yaml")
	if len(all) != 1 {
		t.Fatalf("70-mutatingwebhookconfiguration.yaml holds %d documents", len(all))
	}
	object := decode[admissionv1.MutatingWebhookConfiguration](t, all[0])
	for i := range object.Webhooks {
		url := base + *object.Webhooks[i].ClientConfig.Service.Path
		object.Webhooks[i].ClientConfig = admissionv1.WebhookClientConfig{URL: &url}
	}
	return &object
}

func documents(t *testing.T, name string) [][]byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(manifests, name))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content)))
	defer func() { _ = reader.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		document := bytes.Clone(buffer[:n])
		if kind(t, document) != "" {
			all = append(all, document)
		}
	}
}

func kind(t *testing.T, document []byte) string {
	t.Helper()
	return decodeLoosely[metav1.TypeMeta](t, document).Kind
}

func decode[T any](t *testing.T, document []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func decodeLoosely[T any](t *testing.T, document []byte) T {
	t.Helper()
	var object T
	if err := yaml.Unmarshal(document, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// must fails the test when a call of the API server does.
func must(t *testing.T) func(any, error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// secret reads the Secret of the certificates.
func (c *cluster) secret(ctx context.Context) (*corev1.Secret, error) {
	return c.client.CoreV1().Secrets("probeshift").Get(ctx, "probeshift-ca", metav1.GetOptions{})
}

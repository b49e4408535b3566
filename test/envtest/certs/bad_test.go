package certs

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/pkg/certs"
)

// source starts a replica with the given rights.
func (c *cluster) source(t *testing.T, config *rest.Config) *certs.Self {
	t.Helper()
	source, err := certs.NewSelf(config, options(), time.Now, certs.Report{
		Log:     testr.New(t),
		Metrics: certs.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, source)
	return source
}

// says waits until a replica that is not Ready says so in these words.
func says(t *testing.T, source certs.Source, words string) {
	t.Helper()
	eventually(t, words, func() bool {
		err := source.Ready()
		return err != nil && strings.Contains(err.Error(), words)
	})
}

func TestBadInputIsNamedAndMended(t *testing.T) {
	c := startCluster(t)
	secrets := c.client.CoreV1().Secrets("probeshift")
	configurations := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations()

	nobody := rest.CopyConfig(c.config)
	nobody.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
	refused := c.source(t, nobody)
	says(t, refused, "read Secret probeshift/probeshift-ca: ")
	says(t, refused, "apply the Role and ClusterRole of deploy/webhook again")

	must(t)(secrets.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "probeshift", Name: "probeshift-ca"},
		Data:       map[string][]byte{"mine": []byte("x")},
	}, metav1.CreateOptions{}))
	source := c.source(t, c.asWebhook())
	says(t, source, "Secret probeshift/probeshift-ca is not readable as the state of the certificates: it has no state.json")
	says(t, source, "MutatingWebhookConfiguration grpc-probeshift does not exist: apply deploy/webhook again")

	object := configuration(t, "https://wrong.example")
	foreign := foreignCertificate(t)
	for i := range object.Webhooks {
		object.Webhooks[i].ClientConfig.CABundle = foreign
	}
	must(t)(configurations.Create(t.Context(), object, metav1.CreateOptions{}))
	says(t, source, "webhook rewrite.probeshift.dev: x509: certificate is valid for ")

	live, err := configurations.Get(t.Context(), "grpc-probeshift", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range live.Webhooks {
		url := "https://127.0.0.1"
		live.Webhooks[i].ClientConfig.URL = &url
	}
	must(t)(configurations.Update(t.Context(), live, metav1.UpdateOptions{}))
	eventually(t, "it is Ready once everything is mended", func() bool { return source.Ready() == nil })

	s := scene{cluster: c}
	for _, bundle := range s.bundles(t) {
		if !bytes.Contains(bundle, foreign) {
			t.Error("the foreign certificate has gone")
		}
	}
	secret, err := c.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(secret.Data["mine"]) != "x" {
		t.Error("a foreign key of the Secret has gone")
	}
	if refused.Ready() == nil {
		t.Error("a replica without rights is Ready")
	}
	must(t)(c.client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "nobody"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "nobody"}},
	}, metav1.CreateOptions{}))
	eventually(t, "it is Ready once it has its rights, without a restart", func() bool { return refused.Ready() == nil })
}

// foreignCertificate makes a valid certificate of somebody else.
func foreignCertificate(t *testing.T) []byte {
	t.Helper()
	return selfSigned(t, "somebody else", time.Now().Add(24*time.Hour))
}

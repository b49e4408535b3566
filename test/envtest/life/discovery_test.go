package life

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/probeshift/probeshift/test/envtest/installed"
)

const (
	discoveryAccount = "probeshift-discovery"
	discoveryUser    = "system:serviceaccount:" + ownNamespace + ":" + discoveryAccount
	// discoveryCA is the name of its Secret and of its ConfigMap.
	discoveryCA = "probeshift-discovery-ca"
)

func TestDiscoveryNeedsItsRightsAndNoOthers(t *testing.T) {
	c := startCluster(t)
	c.install(t, "10-namespace.yaml")
	c.install(t, "20-serviceaccount.yaml")
	c.install(t, "components/lb-discovery/serviceaccount.yaml")
	c.grant(t, "30-rbac.yaml")
	granted := c.install(t, "components/lb-discovery/rbac.yaml")
	rights, reading := rightsBoundTo(t, granted, discoveryAccount), rightsBoundTo(t, granted, account)
	if all := len(rightsOf(t, granted)); len(rights)+len(reading) != all {
		t.Errorf("%d rights, of which discovery has %d and the webhook %d", all, len(rights), len(reading))
	}
	c.awaitRights(t, discoveryUser, rights)
	c.awaitRights(t, user, reading)

	l := discoveryLife{cluster: c, a: newDiscovery(t, c), b: newDiscovery(t, c, withoutStreaming)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("refused: %q", compare(rights, requestsOf(t, discoveryUser, c.auditLog)).Refused)
		}
	})
	l.isInstalled(t)
	l.rotates(t)
	l.restoresWhatIsDeleted(t)
	l.tellsWhoSpoilsItsCA(t)
	l.webhooksReadItsCA(t, reading)
	l.ends(t)

	requests := requestsOf(t, discoveryUser, c.auditLog)
	t.Logf("%d rights, %d requests", len(rights), len(requests))
	if diff := cmp.Diff(verdict{}, compare(rights, requests)); diff != "" {
		t.Fatalf("rights and requests (-want +found):\n%s", diff)
	}
	for _, r := range rights {
		if got := compare(without(rights, r), requests); len(got.Refused) == 0 {
			t.Errorf("without the right to %s nothing is refused", r)
		}
	}
}

// rightsBoundTo are the rights that roles among some objects give an account.
func rightsBoundTo(t *testing.T, objects []*unstructured.Unstructured, account string) []right {
	t.Helper()
	bound := func(o *unstructured.Unstructured) bool {
		return slices.ContainsFunc(objects, func(binding *unstructured.Unstructured) bool {
			if binding.GetKind() != o.GetKind()+"Binding" {
				return false
			}
			b := typed[rbacv1.RoleBinding](t, binding)
			return b.RoleRef.Name == o.GetName() && b.Subjects[0].Name == account
		})
	}
	var roles []*unstructured.Unstructured
	for _, o := range objects {
		if bound(o) {
			roles = append(roles, o)
		}
	}
	return rightsOf(t, roles)
}

// discoveryLife is what discovery goes through, with two replicas.
type discoveryLife struct {
	*cluster
	a, b *replica
}

// newDiscovery returns a replica of discovery that does not run yet.
func newDiscovery(t *testing.T, c *cluster, environment ...string) *replica {
	t.Helper()
	r := &replica{address: installed.FreeAddress(t), health: installed.FreeAddress(t), environment: environment}
	host, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.flags = []string{
		"--run=discovery", "--kubeconfig=" + c.kubeconfig(t, discoveryAccount),
		"--discovery-ca-life=10m", "--discovery-leaf-life=8s", "--discovery-settle-time=2s", "--discovery-overlap=2s", "--discovery-retire-margin=1s",
		"--bind-address=" + host, "--discovery-port=" + port, "--health-probe-bind-address=" + r.health, "--metrics-bind-address=0",
	}
	return r
}

func (l discoveryLife) isInstalled(t *testing.T) {
	t.Helper()
	l.a.start(t)
	l.b.start(t)
	l.a.waitReady(t)
	l.b.waitReady(t)
	if l.published(t) == "" {
		t.Error("discovery is ready and has published no CA")
	}
}

// rotates forces a rotation and waits until another CA signs.
func (l discoveryLife) rotates(t *testing.T) {
	t.Helper()
	before := l.signs(t)
	_, err := l.client.CoreV1().Secrets(ownNamespace).Patch(t.Context(), discoveryCA, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"probeshift.dev/rotate":"now"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "another CA signs", func() bool { return l.signs(t) != before }, nil)
}

func (l discoveryLife) restoresWhatIsDeleted(t *testing.T) {
	t.Helper()
	before := l.signs(t)
	if err := l.client.CoreV1().Secrets(ownNamespace).Delete(t.Context(), discoveryCA, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Secret is back", func() bool { return l.signs(t) == before }, nil)
	if err := l.client.CoreV1().ConfigMaps(ownNamespace).Delete(t.Context(), discoveryCA, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ConfigMap is back", func() bool { return strings.Contains(l.published(t), before) }, nil)
}

// tellsWhoSpoilsItsCA empties the ConfigMap again and again, until there is an
// Event about it, and until that is one of a series.
func (l discoveryLife) tellsWhoSpoilsItsCA(t *testing.T) {
	t.Helper()
	for _, series := range []bool{false, true} {
		eventually(t, fmt.Sprintf("an Event on the ConfigMap (a series: %t)", series), func() bool {
			if l.published(t) != "" {
				_, err := l.client.CoreV1().ConfigMaps(ownNamespace).Patch(t.Context(), discoveryCA, types.MergePatchType,
					[]byte(`{"data":{"ca.crt":""}}`), metav1.PatchOptions{FieldManager: "spoiler"})
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range l.events(t, ownNamespace) {
				if e.Regarding.Kind == "ConfigMap" && e.Regarding.Name == discoveryCA && (!series || e.Series != nil) {
					return true
				}
			}
			return false
		}, nil)
	}
}

// webhooksReadItsCA runs the webhook as the component does, with its own account
// and both ways to read, until it has used what the component allows it.
func (l discoveryLife) webhooksReadItsCA(t *testing.T, reading []right) {
	t.Helper()
	kubeconfig := l.kubeconfig(t, account)
	var webhooks []*replica
	for _, environment := range [][]string{nil, {withoutStreaming}} {
		webhook := newReplica(t, kubeconfig, environment...)
		webhook.start(t, "--lb-discovery=true")
		webhooks = append(webhooks, webhook)
	}
	unused := func() []string { return compare(reading, requestsOf(t, user, l.auditLog)).Unused }
	eventually(t, "the webhook reads the ConfigMap", func() bool { return len(unused()) == 0 },
		func() string { return fmt.Sprintf("not used: %q", unused()) })
	for _, webhook := range webhooks {
		webhook.stop(t)
	}
}

func (l discoveryLife) ends(t *testing.T) {
	t.Helper()
	l.a.stop(t)
	l.b.stop(t)
}

// signs is the certificate that signs, in PEM, empty while there is none.
func (l discoveryLife) signs(t *testing.T) string {
	t.Helper()
	secret, err := l.client.CoreV1().Secrets(ownNamespace).Get(t.Context(), discoveryCA, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(secret.Data["current.crt"]))
}

// published is what the ConfigMap holds, empty while there is none.
func (l discoveryLife) published(t *testing.T) string {
	t.Helper()
	var config *corev1.ConfigMap
	config, err := l.client.CoreV1().ConfigMaps(ownNamespace).Get(t.Context(), discoveryCA, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return config.Data["ca.crt"]
}

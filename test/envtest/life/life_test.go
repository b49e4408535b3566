package life

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
)

const (
	// patience is how long something may take that happens by itself.
	patience = time.Minute
	interval = 50 * time.Millisecond
)

func TestTheWebhookNeedsItsRightsAndNoOthers(t *testing.T) {
	c := startCluster(t)
	c.install(t, "10-namespace.yaml")
	c.install(t, "20-serviceaccount.yaml")
	rights := c.grant(t, "30-rbac.yaml")
	t.Cleanup(func() {
		if t.Failed() { // a life that is stuck may be so for want of a right
			t.Logf("refused: %q", compare(rights, requestsOf(t, user, c.auditLog)).Refused)
		}
	})
	kubeconfig := c.kubeconfig(t, account)
	l := life{
		cluster: c,
		rewrite: newReplica(t, kubeconfig),
		audit:   newReplica(t, kubeconfig, withoutStreaming),
	}
	c.namespace(t, "shop", "enabled")
	c.namespace(t, "bank", "audit")

	l.isInstalled(t)
	l.tellsOwners(t, "shop", "ProbesRewritten")
	l.tellsOwners(t, "bank", "ProbesWouldBeRewritten")
	l.rotates(t)
	l.restoresTheSecret(t)
	l.repairsTheBundle(t)
	l.isRestarted(t)
	rights = append(rights, c.grant(t, "components/grpc-probe-tls/rbac.yaml")...)
	l.rewritesTLSProbes(t)
	l.ends(t)

	requests := requestsOf(t, user, c.auditLog)
	t.Logf("%d rights, %d requests", len(rights), len(requests))
	if diff := cmp.Diff(verdict{}, compare(rights, requests)); diff != "" {
		t.Fatalf("rights and requests (-want +found):\n%s", diff)
	}
	spoiled(t, rights, requests)
	aRefusalIsFound(t, c, rights, kubeconfig)
}

// life is what the webhook goes through.
type life struct {
	*cluster
	// rewrite is called for enabled namespaces, audit for audited ones.
	rewrite, audit *replica
}

// isInstalled starts both replicas before there is a configuration.
func (l life) isInstalled(t *testing.T) {
	t.Helper()
	l.rewrite.start(t)
	l.audit.start(t)
	eventually(t, "the Secret is made", func() bool { return l.currentCA(t) != "" }, nil)
	_, err := l.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(
		t.Context(), configuration(t, l.rewrite, l.audit), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.rewrite.waitReady(t)
	l.audit.waitReady(t)
	l.trusts(t, l.currentCA(t))
}

// tellsOwners creates Pods of one owner until the Event on it is there, and
// then until it is a series.
func (l life) tellsOwners(t *testing.T, namespace, why string) {
	t.Helper()
	for _, series := range []bool{false, true} {
		eventually(t, fmt.Sprintf("an Event in %s (a series: %t)", namespace, series), func() bool {
			l.createPod(t, namespace)
			return slices.ContainsFunc(l.events(t, namespace), func(e eventsv1.Event) bool {
				return e.Reason == why && e.Regarding.Name == owner().Name && (!series || e.Series != nil)
			})
		}, nil)
	}
}

// rotates forces a rotation and waits until the replaced CA is trusted no more.
func (l life) rotates(t *testing.T) {
	t.Helper()
	before := l.currentCA(t)
	_, err := l.client.CoreV1().Secrets(ownNamespace).Patch(t.Context(), secretName, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"probeshift.dev/rotate":"now"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "another CA signs", func() bool { return l.currentCA(t) != before }, nil)
	eventually(t, "the replaced CA is retired", func() bool {
		return !bytes.Contains(bytes.Join(l.bundles(t), nil), []byte(before))
	}, nil)
	l.trusts(t, l.currentCA(t))
}

// restoresTheSecret deletes the Secret and waits for the same CA to be back.
func (l life) restoresTheSecret(t *testing.T) {
	t.Helper()
	before := l.currentCA(t)
	if err := l.client.CoreV1().Secrets(ownNamespace).Delete(t.Context(), secretName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Secret is back", func() bool { return l.currentCA(t) == before }, nil)
}

// repairsTheBundle takes the caBundle away, as kubectl replace does.
func (l life) repairsTheBundle(t *testing.T) {
	t.Helper()
	configurations := l.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := configurations.Get(t.Context(), configurationName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		replacement := configuration(t, l.rewrite, l.audit)
		replacement.ResourceVersion = live.ResourceVersion
		_, err = configurations.Update(t.Context(), replacement, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l.trusts(t, l.currentCA(t))
}

// isRestarted ends a replica and starts it again. It takes up the CA that is
// there.
func (l life) isRestarted(t *testing.T) {
	t.Helper()
	before := l.currentCA(t)
	l.rewrite.stop(t)
	l.rewrite.start(t)
	l.rewrite.waitReady(t)
	if l.currentCA(t) != before {
		t.Error("a restart has replaced the CA")
	}
	eventually(t, "Pods are rewritten", func() bool {
		return l.createPod(t, "shop").Spec.Containers[0].ReadinessProbe.GRPC != nil
	}, nil)
}

// rewritesTLSProbes starts a replica as the component grpc-probe-tls does.
func (l life) rewritesTLSProbes(t *testing.T) {
	t.Helper()
	l.rewrite.stop(t)
	l.rewrite.start(t, "--grpc-probe-tls=always", "--mesh=ignore")
	l.rewrite.waitReady(t)
	eventually(t, "TLS probes are rewritten", func() bool {
		probe := l.createPod(t, "shop", "-tls", "-tls-no-verify").Spec.Containers[0].ReadinessProbe
		return probe.GRPC != nil && probe.GRPC.Mode != nil && *probe.GRPC.Mode == corev1.GRPCProbeModeTLS
	}, nil)
}

// ends is SIGTERM for both replicas.
func (l life) ends(t *testing.T) {
	t.Helper()
	l.rewrite.stop(t)
	l.audit.stop(t)
}

// aRefusalIsFound makes one request too many with the webhook's own token.
func aRefusalIsFound(t *testing.T, c *cluster, rights []right, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	webhook, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the webhook may list Pods: %v", err)
	}
	want := verdict{Refused: []string{"list pods in shop: HTTP 403"}}
	if diff := cmp.Diff(want, compare(rights, requestsOf(t, user, c.auditLog))); diff != "" {
		t.Errorf("rights and requests after a refusal (-want +found):\n%s", diff)
	}
}

// eventually waits until something is so. Why says more when it never is; it
// may be nil.
func eventually(t *testing.T, what string, isSo func() bool, why func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(interval) {
		if !time.Now().After(deadline) {
			continue
		}
		if why != nil {
			what += ": " + why()
		}
		t.Fatalf("not within %s: %s", patience, what)
	}
}

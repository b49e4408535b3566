package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// creations creates Pods without a pause and counts those that come back as
// they were sent.
type creations struct {
	all, missed atomic.Int64
	// lastMissed is when the last missed one came back.
	lastMissed atomic.Pointer[time.Time]
}

// create runs clients until the test ends.
func create(t *testing.T, c *cluster, clients int) *creations {
	t.Helper()
	counts := &creations{}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for ctx.Err() == nil {
				counts.one(ctx, t, c)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return counts
}

// one creates a Pod, as a dry run.
func (n *creations) one(ctx context.Context, t *testing.T, c *cluster) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
	}
	created, err := c.client.CoreV1().Pods("shop").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if ctx.Err() != nil {
		return
	}
	n.all.Add(1)
	switch {
	case err != nil:
		t.Errorf("a creation was refused: %v", err)
	case created.Annotations[mark] == "":
		now := time.Now()
		n.lastMissed.Store(&now)
		n.missed.Add(1)
	}
}

// during runs what and waits for some creations after it, then returns how
// many were made and how many of them were missed.
func (n *creations) during(t *testing.T, what func()) (all, missed int64) {
	t.Helper()
	all, missed = n.all.Load(), n.missed.Load()
	what()
	enough := n.all.Load() + 50
	eventually(t, "more creations", func() bool { return n.all.Load() > enough })
	return n.all.Load() - all, n.missed.Load() - missed
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// scene is a cluster with replicas that are Ready.
type scene struct {
	*cluster
	replicas *replicas
	pods     *creations
}

func setScene(t *testing.T) scene {
	t.Helper()
	c := startCluster(t)
	r := startReplicas(t, c, 3)
	eventually(t, "the missing configuration is named", func() bool {
		err := r.ready()
		return err != nil && strings.Contains(err.Error(),
			"MutatingWebhookConfiguration grpc-probeshift does not exist: apply deploy/webhook again")
	})
	must(t)(c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(
		t.Context(), configuration(t, r.base), metav1.CreateOptions{}))
	eventually(t, "all replicas are Ready", func() bool { return r.ready() == nil })
	s := scene{cluster: c, replicas: r}
	probe := &creations{}
	eventually(t, "the API server calls the webhook", func() bool {
		before := probe.missed.Load()
		probe.one(t.Context(), t, c)
		return probe.missed.Load() == before
	})
	s.pods = create(t, c, 4)
	return s
}

// current returns the certificate that signs.
func (s scene) current(t *testing.T) string {
	t.Helper()
	secret, err := s.secret(t.Context())
	if err != nil {
		return ""
	}
	return string(secret.Data["current.crt"])
}

// servedBy tells whether every replica serves a leaf of the CA.
func (s scene) servedBy(t *testing.T, ca string) bool {
	t.Helper()
	block, _ := pem.Decode([]byte(ca))
	if block == nil {
		return false
	}
	parent, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range s.replicas.sources {
		leaf, err := source.GetCertificate(nil)
		if err != nil || leaf.Leaf.CheckSignatureFrom(parent) != nil {
			return false
		}
	}
	return true
}

// bundles returns the live caBundles.
func (s scene) bundles(t *testing.T) [][]byte {
	t.Helper()
	object, err := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "grpc-probeshift", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, webhook := range object.Webhooks {
		all = append(all, webhook.ClientConfig.CABundle)
	}
	return all
}

func TestEveryPodIsRewrittenWhateverHappensToTheCertificates(t *testing.T) {
	s := setScene(t)

	for i := range 3 {
		before := s.current(t)
		all, missed := s.pods.during(t, func() {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"probeshift.dev/rotate":"%d"}}}`, i)
			must(t)(s.client.CoreV1().Secrets("probeshift").Patch(t.Context(), "probeshift-ca",
				types.MergePatchType, []byte(patch), metav1.PatchOptions{}))
			eventually(t, "another CA signs, everywhere", func() bool {
				now := s.current(t)
				return now != before && s.servedBy(t, now)
			})
			eventually(t, "the old CA has left the caBundle", func() bool {
				return !bytes.Contains(bytes.Join(s.bundles(t), nil), []byte(before))
			})
		})
		t.Logf("rotation %d: %d Pods, %d missed", i+1, all, missed)
		if missed > 0 {
			t.Errorf("rotation %d: %d of %d Pods were missed", i+1, missed, all)
		}
	}

	for i := range 3 {
		before := s.current(t)
		all, missed := s.pods.during(t, func() {
			if err := s.client.CoreV1().Secrets("probeshift").Delete(t.Context(), "probeshift-ca", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the Secret is there again", func() bool { return s.current(t) != "" })
		})
		t.Logf("deletion %d: %d Pods, %d missed", i+1, all, missed)
		if after := s.current(t); after != before {
			t.Error("the deletion was a rotation")
		}
		if missed > 0 {
			t.Errorf("deletion %d: %d of %d Pods were missed", i+1, missed, all)
		}
	}

	for i := range 3 {
		wiped := time.Now()
		all, missed := s.pods.during(t, func() {
			s.replace(t)
			eventually(t, "the caBundle is back", func() bool {
				for _, bundle := range s.bundles(t) {
					if len(bundle) == 0 {
						return false
					}
				}
				return true
			})
			if err := s.replicas.ready(); err != nil {
				t.Errorf("a wipe withdrew a replica: %v", err)
			}
		})
		last := "none"
		if at := s.pods.lastMissed.Load(); at != nil && at.After(wiped) {
			last = at.Sub(wiped).String()
		}
		t.Logf("wipe %d: %d Pods, %d missed, the last one after %s", i+1, all, missed, last)
		if _, missed := s.pods.during(t, func() {}); missed > 0 {
			t.Errorf("wipe %d: %d Pods were missed after the repair", i+1, missed)
		}
	}
}

// replace puts the configuration of the manifests, without a caBundle, in the
// place of the live one, as kubectl replace does.
func (s scene) replace(t *testing.T) {
	t.Helper()
	configurations := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	live, err := configurations.Get(t.Context(), "grpc-probeshift", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	object := configuration(t, s.replicas.base)
	object.ResourceVersion = live.ResourceVersion
	must(t)(configurations.Update(t.Context(), object, metav1.UpdateOptions{}))
}

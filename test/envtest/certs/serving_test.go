package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/certs"
)

// told is what one replica says: its log and its Events, as text.
type told struct {
	mu     sync.Mutex
	log    []string
	events []string
}

// Warn takes an Event.
func (o *told) Warn(reason, message string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, reason+": "+message)
}

func (o *told) line(prefix, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, prefix+text)
}

// holds says whether these words were logged, and whether an Event holds them.
func (o *told) holds(words string) (logged, warned bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.log {
		// The log quotes what it is given.
		logged = logged || strings.Contains(strings.ReplaceAll(l, `\"`, `"`), words)
	}
	for _, e := range o.events {
		warned = warned || strings.Contains(e, words)
	}
	return logged, warned
}

// everything is all that was said.
func (o *told) everything() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.log, "\n") + strings.Join(o.events, "\n")
}

// unhealthy is the metric's value.
func unhealthy(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "probeshift_certificate_source_unhealthy" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("the metric is not there")
	return 0
}

// A replica that serves goes on serving, whatever becomes of the Secret: it
// names what is wrong in a log line, an Event and a metric, and mends it or
// takes what somebody mended, without a restart.
func TestAServingReplicaSaysWhatWentBad(t *testing.T) {
	c := startCluster(t)
	must(t)(c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(
		t.Context(), configuration(t, "https://127.0.0.1"), metav1.CreateOptions{}))
	said := &told{}
	registry := prometheus.NewRegistry()
	source, err := certs.NewSelf(c.asWebhook(), options(), time.Now, certs.Report{
		Log: funcr.New(said.line, funcr.Options{}), Metrics: certs.NewMetrics(registry), Events: said,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, source)
	eventually(t, "the replica is Ready", func() bool { return source.Ready() == nil })

	keys := map[string]bool{}
	for _, tc := range []struct {
		sentence string
		spoil    func(data map[string][]byte)
		words    string
	}{
		{"a state that is not JSON", func(data map[string][]byte) { data["state.json"] = []byte("{") }, "state.json: unexpected end of JSON input"},
		{"somebody else's certificate", func(data map[string][]byte) {
			data["current.crt"] = selfSigned(t, "somebody else", time.Now().Add(24*time.Hour))
		}, "current.crt and current.key: "},
		{"a key that does not match", func(data map[string][]byte) { data["current.key"] = otherKey(t) }, "current.crt and current.key: "},
		{"no key at all", func(data map[string][]byte) { delete(data, "current.key") }, "current.crt and current.key: "},
	} {
		words := "Secret probeshift/probeshift-ca is not readable as the state of the certificates: " + tc.words
		said.mu.Lock()
		said.log, said.events = nil, nil
		said.mu.Unlock()
		c.spoil(t, keys, tc.spoil)
		eventually(t, tc.sentence+" is logged and told", func() bool {
			logged, warned := said.holds(words)
			return logged && warned
		})
		eventually(t, tc.sentence+" is mended", func() bool {
			secret, err := c.secret(t.Context())
			return err == nil && unhealthy(t, registry) == 0 && len(secret.Data["current.key"]) > 0 &&
				keys[string(secret.Data["current.key"])]
		})
		if err := source.Ready(); err != nil {
			t.Errorf("%s: the replica is not Ready any more: %v", tc.sentence, err)
		}
		for key := range keys {
			if body := strings.Split(key, "\n"); len(body) > 1 && strings.Contains(said.everything(), body[1]) {
				t.Errorf("%s: a private key was told", tc.sentence)
			}
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

// A revoked CA is given up at once: nothing signs with it, and no caBundle
// trusts it.
func TestARevokedCAIsTrustedNoMore(t *testing.T) {
	s := setScene(t)
	old := s.current(t)
	secret, err := s.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret.Annotations = map[string]string{"probeshift.dev/revoke": "leaked"}
	must(t)(s.client.CoreV1().Secrets("probeshift").Update(t.Context(), secret, metav1.UpdateOptions{}))
	eventually(t, "every replica serves a certificate of the new CA, and no caBundle holds the old one", func() bool {
		now := s.current(t)
		if now == old || !s.servedBy(t, now) {
			return false
		}
		for _, bundle := range s.bundles(t) {
			if bytes.Contains(bundle, []byte(strings.TrimSpace(old))) {
				return false
			}
		}
		return true
	})
}

// spoil changes the data of the Secret and remembers the keys it held.
func (c *cluster) spoil(t *testing.T, keys map[string]bool, change func(map[string][]byte)) {
	t.Helper()
	eventually(t, "the Secret is changed", func() bool {
		secret, err := c.secret(t.Context())
		if err != nil {
			return false
		}
		keys[string(secret.Data["current.key"])] = true
		changed := secret.DeepCopy()
		changed.Data = maps.Clone(secret.Data)
		change(changed.Data)
		return c.update(t.Context(), changed) == nil
	})
}

func (c *cluster) update(ctx context.Context, secret *corev1.Secret) error {
	if _, err := c.client.CoreV1().Secrets("probeshift").Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("update the Secret: %w", err)
	}
	return nil
}

// otherKey is a private key that belongs to no certificate here.
func otherKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

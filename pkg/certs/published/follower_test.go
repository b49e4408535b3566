package published

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

func TestAFollowerKeepsTheLastGoodCA(t *testing.T) {
	one, two := certificate(t, "one", true), certificate(t, "two", true)
	holding := func(content string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{Key: content}}
	}
	var said []string
	registry := prometheus.NewRegistry()
	f := New(Config{Namespace: "n", Name: "ca", Metrics: registry, Log: funcr.New(func(_, line string) { said = append(said, line) }, funcr.Options{})})

	for _, step := range []struct {
		sentence string
		do       func()
		ca       string
		known    float64
		rejected float64
		says     string
	}{
		{"at first nothing is known", func() {}, "", 0, 0, ""},
		{"a ConfigMap that is still empty is nothing to speak of", func() { f.take(holding("")) }, "", 0, 0, ""},
		{"what is no CA is rejected", func() { f.take(holding("x")) }, "", 0, 1, "new sidecars work from DNS"},
		{"a CA is taken", func() { f.take(holding(one)) }, one, 1, 1, "new sidecars follow EndpointSlices"},
		{"the same CA once more is no news", func() { f.take(holding(one)) }, one, 1, 1, ""},
		{"a next one beside it is taken", func() { f.take(holding(one + two)) }, one + two, 1, 1, "new sidecars follow EndpointSlices"},
		{"a wipe changes nothing", func() { f.take(holding("")) }, one + two, 1, 2, "the last good one stays in use"},
		{"bytes that are no certificate change nothing", func() { f.take(holding("x")) }, one + two, 1, 3, "the last good one stays in use"},
		{"what is no ConfigMap changes nothing", func() { f.take(&corev1.Secret{}) }, one + two, 1, 3, ""},
		{"a deleted ConfigMap is forgotten", f.forget, "", 0, 3, "new sidecars work from DNS: somebody has deleted the CA of discovery"},
		{"and taken when it is back", func() { f.take(holding(two)) }, two, 1, 3, "new sidecars follow EndpointSlices"},
	} {
		said = nil
		step.do()
		if got := f.CA(); got != step.ca {
			t.Errorf("%s: the CA is %q", step.sentence, got)
		}
		if known, rejected := testutil.ToFloat64(f.known), testutil.ToFloat64(f.rejected); known != step.known || rejected != step.rejected {
			t.Errorf("%s: known %v, rejected %v", step.sentence, known, rejected)
		}
		if text := strings.Join(said, "\n"); (text != "") != (step.says != "") || !strings.Contains(text, step.says) {
			t.Errorf("%s: it says %q, want %q", step.sentence, text, step.says)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

// An API server that does not answer holds a replica back for a moment only.
func TestAFollowerIsReadyWhenItHasWaited(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := refused.Close(); err != nil {
		t.Fatal(err)
	}
	client, err := coreclient.NewForConfig(&rest.Config{Host: "http://" + refused.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{Client: client.RESTClient(), Namespace: "n", Name: "ca", Metrics: prometheus.NewRegistry(), Log: logr.Discard()})
	f.firstLook = 50 * time.Millisecond
	if err := f.Ready(); err == nil || !strings.Contains(err.Error(), "ConfigMap n/ca has not been looked for yet") {
		t.Errorf("before the start: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Start(ctx) }()
	for f.Ready() != nil && t.Context().Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	if f.CA() != "" {
		t.Errorf("the CA is %q", f.CA())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

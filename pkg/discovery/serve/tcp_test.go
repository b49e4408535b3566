package serve

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// fixed is an API server in which nothing ever happens. It refuses to list by a
// watch, as servers before 1.32 do.
func fixed(t *testing.T) *httptest.Server {
	t.Helper()
	c := newCluster(t)
	twoPods(c)
	services, err := c.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	c.must(err)
	slices, err := c.DiscoveryV1().EndpointSlices("").List(t.Context(), metav1.ListOptions{})
	c.must(err)
	services.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}
	slices.TypeMeta = metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"}
	lists := map[string]any{"/api/v1/services": services, "/apis/discovery.k8s.io/v1/endpointslices": slices}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, ok := lists[r.URL.Path]
		query := r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !ok:
			http.NotFound(w, r)
		case query.Get("sendInitialEvents") != "":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
				Status:   metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
			})
		case query.Get("watch") != "":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			_ = json.NewEncoder(w).Encode(list)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func overTCP(t *testing.T, api *httptest.Server, p pair, address string) Config {
	t.Helper()
	return Config{
		Kube:           &rest.Config{Host: api.URL},
		Address:        address,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate, nil },
		Metrics:        prometheus.NewRegistry(),
		Log:            logr.Discard(),
		Now:            time.Now,
	}
}

// The whole of it in real time: HTTP to an API server, TCP to a sidecar.
func TestASidecarIsServedOverTCP(t *testing.T) {
	p := newPair(t)
	server, err := New(overTCP(t, fixed(t), p, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Ready(); err == nil || !strings.Contains(err.Error(), "not all Services") {
		t.Errorf("ready says %v before anything was started", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	for server.Ready() != nil {
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	s := newSidecar(t, connect(t, func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", (*server.listening.Load()).String())
	}, p.roots), nil, greeter)
	s.take(<-s.answers)
	s.knows(greeter, "10.244.0.1", "10.244.0.2")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAddressThatIsTakenIsAnError(t *testing.T) {
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	server, err := New(overTCP(t, fixed(t), newPair(t), taken.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("it ended with %v", err)
	}
}

func TestAServerNeedsAllThatItUses(t *testing.T) {
	for name, without := range map[string]func(*Config){
		"no API server":  func(c *Config) { c.Kube = nil },
		"no certificate": func(c *Config) { c.GetCertificate = nil },
		"no metrics":     func(c *Config) { c.Metrics = nil },
		"no clock":       func(c *Config) { c.Now = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := overTCP(t, &httptest.Server{}, pair{}, "")
			without(&c)
			if _, err := New(c); err == nil {
				t.Error("it is made all the same")
			}
		})
	}
}

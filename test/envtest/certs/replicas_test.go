package certs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	reviewv1 "k8s.io/api/admission/v1"

	"github.com/probeshift/probeshift/pkg/certs"
)

// mark is the annotation that the stand-in for the webhook sets.
const mark = "probeshift.dev/status"

// options are lives so short that seconds see whole rotations.
func options() certs.Options {
	o := certs.DefaultOptions()
	o.ExtraNames = []string{"127.0.0.1"}
	o.CALife = 10 * time.Minute
	o.LeafLife = 10 * time.Second
	o.Settle = 2 * time.Second
	o.RetireMargin = 2 * time.Second
	o.Interval = time.Second
	return o
}

// replicas are the sources, behind one address: each handshake meets the next
// one.
type replicas struct {
	sources []*certs.Self
	turn    atomic.Uint64
	base    string
}

// startReplicas starts n replicas and the listener they share.
func startReplicas(t *testing.T, c *cluster, n int) *replicas {
	t.Helper()
	r := &replicas{}
	for range n {
		source, err := certs.NewSelf(c.asWebhook(), options(), time.Now, certs.Report{
			Log:     testr.New(t),
			Metrics: certs.NewMetrics(prometheus.NewRegistry()),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.sources = append(r.sources, source)
		run(t, source)
	}
	r.listen(t)
	return r
}

// run runs a source until the test ends.
func run(t *testing.T, source certs.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

func (r *replicas) listen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.base = "https://" + listener.Addr().String()
	server := &http.Server{
		Handler:           http.HandlerFunc(answer),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			NextProtos: []string{"http/1.1"},
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				turn := r.turn.Add(1)
				return r.sources[turn%uint64(len(r.sources))].GetCertificate(hello)
			},
		},
	}
	server.SetKeepAlivesEnabled(false) // every call is a handshake
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// ready tells whether every replica is.
func (r *replicas) ready() error {
	var problems []error
	for _, source := range r.sources {
		problems = append(problems, source.Ready())
	}
	return errors.Join(problems...)
}

// answer marks every Pod.
func answer(w http.ResponseWriter, request *http.Request) {
	var review reviewv1.AdmissionReview
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	patchType := reviewv1.PatchTypeJSONPatch
	review.Response = &reviewv1.AdmissionResponse{
		UID:       review.Request.UID,
		Allowed:   true,
		PatchType: &patchType,
		Patch:     []byte(`[{"op":"add","path":"/metadata/annotations","value":{"` + mark + `":"seen"}}]`),
	}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone does not read the answer; the creation that it
	// was for fails by itself.
	_ = json.NewEncoder(w).Encode(review)
}

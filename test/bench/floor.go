package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// mutatePath is where every server here takes reviews.
const mutatePath = "/mutate-v1-pod"

// serveFloor is the least a webhook can do: it reads a review and allows it.
func serveFloor(ctx context.Context, certDir string, port int) error {
	mux := http.NewServeMux()
	mux.HandleFunc(mutatePath, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		allow(w, body)
	})
	server := &http.Server{
		Addr:              fmt.Sprintf("127.0.0.1:%d", port),
		Handler:           mux,
		TLSConfig:         tlsConfig(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.ListenAndServeTLS(filepath.Join(certDir, "tls.crt"), filepath.Join(certDir, "tls.key"))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the floor: %w", err)
}

// allow answers a review without a patch.
func allow(w http.ResponseWriter, review []byte) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"%s","allowed":true}}`, reviewUID(review))
}

// reviewUID finds the uid of a review, which an API server writes first in its
// request.
func reviewUID(review []byte) []byte {
	_, rest, found := bytes.Cut(review, []byte(`"request":{"uid":"`))
	if !found {
		return nil
	}
	uid, _, _ := bytes.Cut(rest, []byte(`"`))
	return uid
}

// tlsConfig speaks HTTP/1.1 alone, as API servers do to a Service.
func tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// recordReviews creates the Pod of every workload and keeps what the API
// server sends to a webhook for it.
func recordReviews(ctx context.Context, client kubernetes.Interface, cert certificate) ([]review, error) {
	bodies := make(chan []byte, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		bodies <- body
		allow(w, body)
	}))
	tls, err := cert.serverConfig()
	if err != nil {
		return nil, err
	}
	server.TLS = tls
	server.StartTLS()
	defer server.Close()

	const name = "record"
	if err := createNamespace(ctx, client, name); err != nil {
		return nil, err
	}
	if err := configureWebhook(ctx, client, name, server.URL+mutatePath, cert.bundle); err != nil {
		return nil, err
	}
	var reviews []review
	for _, w := range workloads() {
		body, err := recordReview(ctx, client, name, w, bodies)
		if err != nil {
			return nil, err
		}
		reviews = append(reviews, review{workload: w, body: body})
	}
	if err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return nil, fmt.Errorf("removing the recorder's configuration: %w", err)
	}
	return reviews, nil
}

// recordReview creates one Pod until its review comes by: a fresh configuration
// takes a moment to reach the API server's admission.
func recordReview(ctx context.Context, client kubernetes.Interface, namespace string, w workload, bodies <-chan []byte) ([]byte, error) {
	for range 200 {
		if _, err := client.CoreV1().Pods(namespace).Create(ctx, w.pod, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("creating the Pod %q: %w", w.name, err)
		}
		select {
		case body := <-bodies:
			return body, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("the API server sent no review for the Pod %q", w.name)
}

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// caller sends reviews as an API server does: HTTP/1.1 over TLS, connections
// kept open.
type caller struct {
	client  *http.Client
	clients int
}

// newCaller returns a caller with one connection for each of so many clients.
func newCaller(cert certificate, clients int) *caller {
	return &caller{clients: clients, client: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: cert.pool(), MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
			MaxIdleConnsPerHost: clients,
		},
	}}
}

// close drops the connections.
func (c *caller) close() {
	c.client.CloseIdleConnections()
}

// send sends one review and returns the answer.
func (c *caller) send(ctx context.Context, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"?timeout=2s", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", "kube-apiserver-admission")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("sending a review: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with %s: %s", response.Status, answer)
	}
	return answer, nil
}

// load sends n requests, by all clients together: the i-th is what each(i)
// does. The first error ends it.
func load(ctx context.Context, clients, n int, each func(ctx context.Context, i int) error) error {
	var sent atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			for {
				i := int(sent.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := each(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

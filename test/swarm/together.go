package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// reviewEvery is the time between two reviews.
const reviewEvery = 5 * time.Millisecond

// together measures admission in the process that runs discovery too.
func (s *scene) together(ctx context.Context) error {
	fmt.Fprintf(s.out, "admission beside %d sidecars, one process\n", s.plan.many)
	if err := writeCertificate(s.dir); err != nil {
		return err
	}
	d, err := startDiscovery(ctx, s.cluster.client, s.webhook, s.cluster.kubeconfig, "admission,discovery",
		"--certs=files", "--cert-dir", s.dir, "--drain-duration=0s", "--events=false")
	if err != nil {
		return err
	}
	return errors.Join(s.beside(ctx, d), d.stop())
}

// beside measures admission alone, beside sidecars at rest, and during a rollout.
func (s *scene) beside(ctx context.Context, d *discovery) error {
	alone, err := s.reviewed(ctx, d, nil)
	if err != nil {
		return err
	}
	f, _, err := s.started(ctx, s.plan.many, at(d))
	if err != nil {
		return err
	}
	defer f.stop()
	rest, err := s.reviewed(ctx, d, nil)
	if err != nil {
		return err
	}
	moving, err := s.reviewed(ctx, d, func(ctx context.Context, i int) error {
		return s.cluster.replace(ctx, s.cluster.services[0], i*s.plan.step%largeSize, s.plan.step)
	})
	if err != nil {
		return err
	}
	s.table.add("admission alone", "%s", latency(alone))
	s.table.add(fmt.Sprintf("beside %d sidecars at rest, one process", s.plan.many), "%s", latency(rest))
	s.table.add("and during a rollout to all of them", "%s", latency(moving))
	_, err = s.changes(ctx, f, 1)
	s.table.must("every sidecar sees the end of it", err)
	s.table.must("what sidecars know then is what is so", f.check(s.cluster))
	return nil
}

// reviewed sends reviews for a while, one at a time, and returns how long each
// took; meanwhile happens every pause.
func (s *scene) reviewed(ctx context.Context, d *discovery, meanwhile func(context.Context, int) error) (all []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.plan.reviews)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		for i := 0; meanwhile != nil && ctx.Err() == nil; i++ {
			if err := meanwhile(context.WithoutCancel(ctx), i); err != nil {
				ended <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(s.plan.pause):
			}
		}
		ended <- nil
	}()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, //nolint:gosec // it is this program's own
	}}
	defer client.CloseIdleConnections()
	body, err := review()
	if err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		next := time.After(reviewEvery)
		begin := time.Now()
		// The last one is let end.
		if err := send(context.WithoutCancel(ctx), client, d.admission, body); err != nil {
			return nil, errors.Join(err, <-ended)
		}
		all = append(all, time.Since(begin))
		<-next
	}
	return all, <-ended
}

// review is the review of a Pod with a probe to rewrite.
func review() ([]byte, error) {
	pod, err := json.Marshal(&corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "greeter"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "greeter", Image: "greeter", Ports: []corev1.ContainerPort{{ContainerPort: port}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{
				Command: []string{"/bin/grpc_health_probe", fmt.Sprintf("-addr=:%d", port)},
			}}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	return json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: types.UID("1"), Kind: kind, RequestKind: &kind, Resource: resource, RequestResource: &resource,
			Namespace: shop, Name: "greeter", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: pod},
		},
	})
}

// send sends a review, whose answer must rewrite the probe.
func send(ctx context.Context, client *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"?timeout=2s", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("sending a review: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &got); err != nil || got.Response == nil || len(got.Response.Patch) == 0 {
		return fmt.Errorf("a review was answered with %s and no patch: %.300s", response.Status, answer)
	}
	return nil
}

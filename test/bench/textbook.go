package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// serveTextbook is a webhook as controller-runtime's documentation teaches it:
// decode into a Pod, change the Pod, answer with the difference.
func serveTextbook(ctx context.Context, certDir string, port int) error {
	server := webhook.NewServer(webhook.Options{
		Host:    "127.0.0.1",
		Port:    port,
		CertDir: certDir,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) {
			c.MinVersion, c.NextProtos = tlsConfig().MinVersion, tlsConfig().NextProtos
		}},
	})
	server.Register(mutatePath, &admission.Webhook{
		Handler: textbook{decoder: admission.NewDecoder(scheme.Scheme)},
	})
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("serving the textbook webhook: %w", err)
	}
	return nil
}

type textbook struct {
	decoder admission.Decoder
}

var _ admission.Handler = textbook{}

// Handle rewrites the probes of the Pod in the request.
func (t textbook) Handle(_ context.Context, request admission.Request) admission.Response {
	pod := &corev1.Pod{}
	if err := t.decoder.Decode(request, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		rewriteSimplest(c.ReadinessProbe, c.Ports)
		rewriteSimplest(c.LivenessProbe, c.Ports)
		rewriteSimplest(c.StartupProbe, c.Ports)
	}
	changed, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, changed)
}

// rewriteSimplest makes a probe native when its command is the tool with
// nothing but an -addr=:PORT that the container declares.
func rewriteSimplest(probe *corev1.Probe, declared []corev1.ContainerPort) {
	if probe == nil || probe.Exec == nil || len(probe.Exec.Command) != 2 {
		return
	}
	oneDash := strings.Replace(probe.Exec.Command[1], "--", "-", 1)
	text, found := strings.CutPrefix(oneDash, "-addr=:")
	port, err := strconv.ParseInt(text, 10, 32)
	if path.Base(probe.Exec.Command[0]) != "grpc_health_probe" || !found || err != nil {
		return
	}
	matches := func(p corev1.ContainerPort) bool {
		return int64(p.ContainerPort) == port && p.Protocol == corev1.ProtocolTCP
	}
	if !slices.ContainsFunc(declared, matches) {
		return
	}
	service := ""
	probe.Exec = nil
	probe.GRPC = &corev1.GRPCAction{Port: int32(port), Service: &service}
}

// Package envoy tests what package pkg/sidecar/envoy makes, and what
// deploy/webhook/components/lb-monitoring asks for, with the real Envoy. The
// variable ENVOY names its program. What the queries ask for is read by a real
// Prometheus, also from discovery and the webhook beside a real API server
// (KUBEBUILDER_ASSETS).
package envoy

// Package envoy tests what package pkg/sidecar/envoy makes, and what
// deploy/webhook/components/lb-monitoring asks for, with the real Envoy. The
// variable ENVOY names its program.
package envoy

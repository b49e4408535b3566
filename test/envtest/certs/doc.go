// Package certs proves the self-made certificates against a real API server:
// the replicas have the rights of deploy/webhook and no others, the
// configuration is the one of deploy/webhook, and Pods are created without a
// pause while the certificates change.
package certs

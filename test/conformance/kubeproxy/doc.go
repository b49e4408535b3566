// Package kubeproxy holds pkg/discovery against kube-proxy's own code: the
// endpoints that a sidecar is told of are those that kube-proxy would send a
// request to, on a node of the sidecar's zone.
package kubeproxy

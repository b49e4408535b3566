// Package discovery proves discovery and what the webhook makes of it, by the
// rights of the component lb-discovery and no others: the command, in processes
// of its own, on a real API server, and xDS clients that trust the CA that stands
// in the ConfigMap. No Envoy is needed here.
//
// kube-apiserver and etcd are taken from the directory that KUBEBUILDER_ASSETS
// names.
package discovery

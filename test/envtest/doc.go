// Package envtest proves the webhook behind a real API server: its command, with
// its flags, in a process of its own, called by kube-apiserver as the
// MutatingWebhookConfiguration in testdata says. There is no controller and no kubelet, so a Pod stays as it
// was admitted.
//
// The golden cases of test/cases are run three ways that must agree: through
// the pure function, through the HTTP handler, and as Pods created through the
// API server. The other tests are about what only an API server does: calling
// again, dry runs, selectors, server-side apply, the audit log.
//
// kube-apiserver and etcd are taken from the directory that KUBEBUILDER_ASSETS
// names.
package envtest

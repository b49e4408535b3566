// Package life proves the rights of deploy/webhook: the webhook's command, in
// processes of its own, lives its whole life (install, Events, rotation,
// repair, restart, end) by the ServiceAccount and the roles of those very files,
// on a real API server whose audit log tells afterwards what it asked for.
// A request that was refused fails the test, and so does a right that no
// request needed. Discovery does the same by the roles of the component
// lb-discovery.
//
// kube-apiserver and etcd are taken from the directory that KUBEBUILDER_ASSETS
// names.
package life

// Package admission is the HTTP side of the webhook: it reads an
// AdmissionReview, asks for a decision on the Pod in it, and writes the answer.
//
// It never blocks a Pod by a fault of its own. A Kubernetes API server rejects a
// Pod when a webhook answers allowed: false or sends a patch that does not apply,
// whatever the failurePolicy says. So every request in which a uid can be found is
// answered with HTTP 200, that uid and allowed: true; what went wrong is told by a
// warning, a metric and a log line. Without a uid the answer is HTTP 400, which
// failurePolicy Ignore turns into an admission.
//
// One kind of Pod is refused, by its owner's choice and in enabled namespaces
// alone: one that asks for the load-balancing sidecar with annotations that cannot
// be granted (sidecar.go).
//
// It is quick by leaving things out: most Pods hold neither the tool's name nor
// an annotation of ours, which a search of the bytes shows (mention.go); of the
// others only the fields that a decision needs are decoded (pod.go), unless the
// Pod asks for the sidecar; the answer
// is written without reflection (answer.go). The tests hold each of these
// against the plain typed way.
package admission

// Package sidecar decides what becomes of a Pod that asks, by annotations, for
// a proxy beside it that balances its gRPC requests over all Pods of a Service.
// It is pure: a Pod and a Policy go in; operations, problems and warnings come
// out.
//
// The rules, a file each: annotations.go (the keys, their values and defaults,
// one table), upstream.go and name.go (what is dialled and what is behind it),
// refuse.go (Pods that cannot have the sidecar), ports.go (who listens where),
// plan.go (how the application's traffic reaches the proxy), rewrite.go and
// token.go (addresses in the Pod's env, args and command), container.go and
// resources.go (the proxy's container), status.go (the annotation that tells
// what was done), patch.go and verify.go.
//
// What the proxy is told is made by package envoy from the same plan.
package sidecar

// Package mutate decides what becomes of the exec probes of a Pod that run
// grpc_health_probe, and builds the JSON patch. It is pure: a Pod and a Policy
// go in, operations, findings and remarks come out.
//
// The rules, a file each: switches.go (the Pod's annotations), judge.go (the
// order of judgement), ports.go (where the kubelet dials), mesh.go, timeout.go,
// status.go (the annotation that tells what was done), patch.go and verify.go.
package mutate

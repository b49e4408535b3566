// Package kubeletprobe makes a native gRPC probe as the kubelet does, with the
// settings of its own health-check client (k8s.io/kubernetes, pkg/probe/grpc):
// one new connection for each probe, one deadline for dial and call together,
// its user-agent, TLS without verification.
package kubeletprobe

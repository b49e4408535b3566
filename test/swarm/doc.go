// Command swarm shows what discovery costs and how fast it is with many
// sidecars: a real API server, the real bin/webhook --run=discovery, and
// simulated sidecars, which speak the protocol as Envoy does and keep what they
// are told.
//
// It prints one table. Figures of time, memory and CPU stand beside their
// target; they depend on the machine and fail nothing. It ends with status 1
// when a sidecar was told something that is not so, or was not told something.
//
// Linux only: memory and CPU are read from /proc, and sidecars have addresses of
// 127.0.0.0/8.
package main

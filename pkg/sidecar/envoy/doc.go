// Package envoy turns the specification of a load-balancing sidecar into
// Envoy's bootstrap. It is pure: a Config goes in, configuration comes out.
//
// An upstream becomes one listener at a loopback address and up to two pools
// of connections ("clusters" to Envoy): one for requests, one for connections
// that are passed through as they are. DNS names the members of a pool; or
// discovery tells them, and what DNS names stands behind it in a pool of its own
// (aggregate.go). Envoy's defaults are made for the edge of a network; many of
// them break gRPC beside an application. Every field that is set here says which
// failure it prevents.
package envoy

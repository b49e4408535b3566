// Package resource names what discovery serves: the endpoints of one port of
// one Service. A sidecar asks for a name, discovery reads it.
package resource

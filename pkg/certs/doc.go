// Package certs provides the certificates that the webhook and discovery serve
// with. A Source either reads files that somebody else keeps (files, for the
// webhook), or makes and rotates its own (self), whose CA it publishes for those
// who verify: API servers or sidecars, see Kind.
package certs

// Package certs provides the certificate the webhook serves with. A Source
// either reads files that somebody else keeps (files), or makes and rotates
// its own (self).
package certs

// Package published follows the CA that discovery publishes in a ConfigMap, for
// those who tell others to trust it.
package published

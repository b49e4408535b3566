// Package deploy tests what is in deploy/: rendered, created in a real API
// server with strict validation, upgraded, and asked what it was made for.
package deploy

// Package server wires the webhook and discovery: flags become Options,
// LoadConfig turns them into a Config, Setup that into a Server, and Start runs
// it.
package server

// Package podload creates Pods without a pause, half of them with a probe that
// the webhook has to rewrite, and counts what came back: a webhook that misses
// a Pod is silent, so only the Pods tell.
package podload

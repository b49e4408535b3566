// Command chaos shows that no Pod is dropped and none is missed while
// everything happens to the webhook that breaks webhooks in practice.
//
// It starts a real API server and the real webhook as several processes behind
// one address, as a Service has it, under the rights and the configuration of
// deploy/webhook. Clients create Pods without a pause, half of them with a probe
// to rewrite, and meanwhile one thing after the other goes wrong. It prints one
// table, and ends with status 1 when anything that must hold did not; then the
// logs of all processes are kept.
//
// Linux only: the API server is restarted with the arguments that /proc shows.
package main

// Package survey tells what the webhook would do with the Pods of a cluster.
// Pods go in one by one, a report comes out: what becomes of each probe, by
// workload, with totals by reason, the images that carry the tool for nothing,
// and what the exec probes cost.
//
// The decision is package mutate's, in the form that audits. What is kept grows
// with the workloads that have such a probe and not with the Pods of the
// cluster.
package survey

// Package cli proves kubectl-probeshift with a real API server, as a user runs
// it: in a process of its own, on terminals of 80 and 200 columns, on a cluster
// of 5,000 Pods, and with each of doctor's checks failing for a reason that was
// made there. No kubelet runs; where one has to answer, a stand-in does what a
// kubelet does with the Pod in question. The terminals are those of Linux.
package cli

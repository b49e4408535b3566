// Bench shows what the webhook costs, beside three things that bound it, in one
// run on one machine:
//
//   - floor: a TLS server that reads a review and allows it. No webhook that is
//     a process of its own is cheaper.
//   - textbook: the webhook as controller-runtime's documentation teaches it.
//   - policy: a MutatingAdmissionPolicy, the rewrite in CEL inside the API
//     server.
//
// The last two do only the simplest rewrite there is. Every server is a process
// of its own and gets the bytes that a kube-apiserver of the same run sent.
//
// Figures are shown beside their targets and never fail a run: a machine may be
// slow or busy. A wrong answer does fail it, and so does whatever breaks.
package main

// Package lbcases holds the golden cases of the load-balancing sidecar: a folder
// each, named by a sentence, that a person can open.
//
//	pod.yaml      the Pod as its author writes it, with a comment that says what it shows
//	policy.yaml   what the operator and the cluster allow; absent where nothing differs from
//	              the defaults
//	patch.json    the RFC 6902 operations, [] when there are none
//	outcome.yaml  what became of the Pod, what its owner is told, and where upstreams are
//	              reached
//
// What Envoy is told, and hashes over it, are left out of the files: package envoy
// has golden files of its own.
//
// To refresh patch.json and outcome.yaml after a rule has changed, run
//
//	go test ./test/lbcases -update
//
// and read the difference against the rules: a golden file that only repeats
// what the code does proves nothing.
package lbcases

// Package cases holds the golden cases: a folder each, named by a sentence,
// that a person can open.
//
//	pod.yaml       the Pod as its author writes it, with a comment that says what it shows
//	policy.yaml    what the operator and the namespace allow, in the words of the webhook's
//	               flags; absent where nothing differs from the defaults
//	patch.json     the RFC 6902 operations, [] when there are none
//	findings.yaml  what is said of each probe, and the remarks on the Pod as a whole
//
// The pure function, the HTTP handler and a webhook behind a real API server
// are all held against the same folders.
//
// To refresh patch.json and findings.yaml after a rule has changed, run
//
//	go test ./test/cases -update
//
// and read the difference against the rules: a golden file that only repeats
// what the code does proves nothing.
package cases

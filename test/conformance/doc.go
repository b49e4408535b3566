// Package conformance holds pkg/healthprobe against what it speaks about: the
// tool itself, grpc-go as the tool was built with it, real shells, and the
// kubelet's own expansion of commands and probers.
//
// Its tests make command lines, read each with pkg/healthprobe, and let the
// real thing judge the same line. What is called always-fails must never be
// able to connect, what is called always-succeeds must succeed without looking,
// and what is called native must dial this Pod at the port that was read and
// ask for the service that was read. A line that shows a difference is made as
// short as it gets and printed; it then belongs into testdata/kept.json.
//
// And it holds verdicts against each other: verdict_test.go lets the kubelet's
// own exec prober run the released tool, and the kubelet's own gRPC prober the
// rewritten probe, at real servers in every state. deadline_test.go calculates
// that a rewritten probe never ends earlier, nor a second later.
//
// Nothing of the tool is kept here: its module is fetched and rewritten by a
// few words when the tests run, see tool_test.go.
package conformance

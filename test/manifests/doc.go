// Package manifests holds golden cases for kubectl probeshift migrate: a folder
// each under cases, named by a sentence, that a person can open.
//
//	before/   manifests as people write them
//	after/    the same after migrate --write
//	output    what migrate prints of before, the diff first
//	flags     the options of the case, one a line; absent where there are none
//
// For each case the tests prove that the diff touches only lines of probes, that
// everything else means the same to another parser, that a second run changes
// nothing, that a real API server takes the result, and that it creates Pods with
// the very probes that the webhook would have given them.
//
// To refresh after and output, run
//
//	go test ./test/manifests -update
//
// and read the difference: a golden file that only repeats what the code does
// proves nothing.
package manifests

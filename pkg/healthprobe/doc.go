// Package healthprobe reads the command of an exec probe and says what it
// checks, when it runs the tool grpc_health_probe
// (github.com/grpc-ecosystem/grpc-health-probe), or the one reason why the
// kubelet's native gRPC probe could not give the same verdict.
//
// A command is read in four steps, a file each:
//
//   - name.go: does the command name the tool at all?
//   - kubelet.go, unwrap.go, shell.go, words.go, environ.go: which words reach the tool
//     after the kubelet, the shell and the wrappers have had theirs?
//   - flags.go: what do these words mean to the tool?
//   - target.go: where does the tool dial?
//
// The package is pure: no client, no I/O, no clock.
package healthprobe

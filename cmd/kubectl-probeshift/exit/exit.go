// Package exit holds the exit codes of kubectl-probeshift, and the errors that
// lead to them.
package exit

import "errors"

// The exit codes, the same for all commands.
const (
	// OK: nothing was left to do, or it was done.
	OK = 0
	// Error: the command could not do its work; stderr says why.
	Error = 1
	// Found: the command did its work and found something: a probe that would be
	// rewritten (migrate --check, audit), a failed check (doctor), a disagreement
	// (verify). What it is stands in the output.
	Found = 2
)

// FoundError ends a command with code Found. The program prints nothing for
// it, because the command's output already tells.
type FoundError struct {
	// What was found, for logs and tests.
	What string
}

// Error says what was found.
func (e *FoundError) Error() string { return e.What }

// Finding returns the error of a command that found something.
func Finding(what string) error { return &FoundError{What: what} }

// Code is the exit code for what a command returned. Among several errors that
// were joined, one that is no finding is the stronger one.
func Code(err error) int {
	switch e := err.(type) { //nolint:errorlint // the tree of errors is walked here
	case nil:
		return OK
	case *FoundError:
		return Found
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			if Code(each) == Error {
				return Error
			}
		}
		return Found
	}
	if inner := errors.Unwrap(err); inner != nil {
		return Code(inner)
	}
	return Error
}

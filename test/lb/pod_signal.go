package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// signalCommand is the first argument of this program when it sends a signal to
// another process of its Pod.
const signalCommand = "signal"

// runSignal sends a signal to a process. Linux takes no signal from within a
// process namespace for its process 1 that this has no handler for, SIGKILL
// included; so what is to be killed must not be process 1.
func runSignal(_ context.Context, args []string) error {
	flags := flag.NewFlagSet(signalCommand, flag.ContinueOnError)
	name := flags.String("signal", "SIGTERM", "the `name` of the signal")
	program := flags.String("program", "", "the `name` of the program to send it to; process 1 when empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	number := unix.SignalNum(*name)
	if number == 0 {
		return fmt.Errorf("there is no signal %s; it is a name such as SIGTERM", *name)
	}
	process := 1
	if *program != "" {
		var err error
		if process, err = pidOf(*program); err != nil {
			return err
		}
	}
	return unix.Kill(process, number)
}

// pidOf finds the process that runs a program, but not this one.
func pidOf(program string) (int, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, line := range lines {
		process, err := strconv.Atoi(filepath.Base(filepath.Dir(line)))
		if err != nil || process == os.Getpid() {
			continue
		}
		// A process may end between the two.
		content, err := os.ReadFile(line) //nolint:gosec // of /proc
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		first, _, _ := bytes.Cut(content, []byte{0})
		if filepath.Base(string(first)) == program {
			return process, nil
		}
	}
	return 0, fmt.Errorf("no process runs %s", program)
}

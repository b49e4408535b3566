package main

import (
	"os/exec"

	"github.com/probeshift/probeshift/test/apiserver"
)

// launch starts a program. The end of what it prints is kept for whoever waits
// for it to be ready, and ended is closed once it has ended.
func launch(process *exec.Cmd) (output *apiserver.Tail, ended chan struct{}, err error) {
	output, ended = &apiserver.Tail{}, make(chan struct{})
	process.Stdout, process.Stderr = output, output
	if err := process.Start(); err != nil {
		return nil, nil, err
	}
	go func() {
		process.Wait() //nolint:errcheck // how it ended is told by what it printed
		close(ended)
	}()
	return output, ended, nil
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// failOpen keeps what the API server prints, and counts why it went on without
// the webhook. It is the one place where that is written.
type failOpen struct {
	log *os.File

	mu      sync.Mutex
	rest    []byte
	reasons map[string]int
}

var _ io.Writer = (*failOpen)(nil)

// Write takes what a program prints, in pieces of any size.
func (f *failOpen) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest = append(f.rest, p...)
	for {
		advance, line, err := bufio.ScanLines(f.rest, false)
		if err != nil || advance == 0 {
			break
		}
		f.read(string(line))
		f.rest = bytes.Clone(f.rest[advance:])
	}
	return f.log.Write(p)
}

// read takes one line.
func (f *failOpen) read(line string) {
	_, problem, found := strings.Cut(line, "failing open ")
	if !found {
		return
	}
	if f.reasons == nil {
		f.reasons = map[string]int{}
	}
	// The end of the chain of errors is the cause, without addresses.
	problem = problem[strings.LastIndex(problem, ": ")+1:]
	f.reasons[strings.Trim(problem, ` "`)]++
}

// take returns the reasons since the last call, the most frequent first.
func (f *failOpen) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for reason, n := range f.reasons {
		all = append(all, fmt.Sprintf("%d x %s", n, reason))
	}
	f.reasons = nil
	slices.Sort(all)
	return all
}

package main

import "fmt"

// tally counts over all Pods.
type tally struct {
	pods, rewritten, left int
	// unexpected tells what was not as expected, a sentence each.
	unexpected []string
}

// add counts one Pod.
func (t *tally) add(changes []change, unexpected []string) {
	t.pods++
	for _, c := range changes {
		if c.rewritten() {
			t.rewritten++
		} else {
			t.left++
		}
	}
	t.unexpected = append(t.unexpected, unexpected...)
}

// err is not nil when anything was not as expected.
func (t *tally) err() error {
	if len(t.unexpected) == 0 {
		return nil
	}
	return fmt.Errorf("not everything was as %s says", expectedFile)
}

package sidecar

import (
	"strings"
	"testing"
)

func TestEveryDefaultOfTheTableIsAValue(t *testing.T) {
	for _, a := range Annotations() {
		if a.Key == "" || a.Values == "" || a.Meaning == "" {
			t.Errorf("a row is not complete: %+v", a)
		}
		if a.Default == "" || a.read == nil {
			continue
		}
		var s settings
		if remedy := a.read(&s, a.Default); remedy != "" {
			t.Errorf("the default %s of %s is no value: %s", a.Default, a.Key, remedy)
		}
	}
}

func TestTheTableFitsATerminal(t *testing.T) {
	for line := range strings.Lines(HelpTable()) {
		if len(line) > 120 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
}

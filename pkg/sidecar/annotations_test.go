package sidecar

import (
	"fmt"
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

func TestManyUnknownKeysAreNotAllNamed(t *testing.T) {
	annotations := map[string]string{}
	for i := range maxUnknown + 3 {
		annotations[fmt.Sprintf("%skey-%d", Prefix, i)] = ""
	}
	_, problems := readSettings(annotations)
	if len(problems) != 1 || strings.Count(problems[0].Text, "key-") != maxUnknown || !strings.HasSuffix(problems[0].Text, " and 3 more") {
		t.Errorf("%v", problems)
	}
}

func TestAnEntryThatIsNoNameIsNotRepeatedWhole(t *testing.T) {
	for entry, want := range map[string]string{
		"greeter":                "write greeter:<port>",
		strings.Repeat("a", 100): "write <name>:<port>",
		"gree\x1bter":            "write <name>:<port>",
	} {
		if _, problems := readUpstreamList([]string{entry}, "shop", "cluster.local"); len(problems) != 1 || problems[0].Remedy != want {
			t.Errorf("%q: %v", entry, problems)
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

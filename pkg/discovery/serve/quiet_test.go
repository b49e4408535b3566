package serve

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
)

func TestALogHoldsOneLineAMinuteOfAKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		log := newQuiet(funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}), time.Now)
		for i := range 100 {
			log.Info("wildcard", "refused", "n", i)
			log.Info("handshake", "refused too", "n", i)
			time.Sleep(time.Second)
		}
		want := []string{
			`"n"=0 "alikeSinceLastLine"=0`, `"n"=0 "alikeSinceLastLine"=0`,
			`"n"=60 "alikeSinceLastLine"=59`, `"n"=60 "alikeSinceLastLine"=59`,
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
		}
		for i, line := range lines {
			if !strings.HasSuffix(line, want[i]) {
				t.Errorf("line %d is %s, want it to end in %s", i, line, want[i])
			}
		}
	})
}

func TestAClientsWordsAreCutShort(t *testing.T) {
	if got := shortened(strings.Repeat("x", 10000)); len(got) != maxQuoted+3 {
		t.Errorf("%d bytes of 10,000 are logged", len(got))
	}
	if got := shortened("malformed IP address"); got != "malformed IP address" {
		t.Error(got)
	}
}

package certs

import (
	"testing"
	"time"
)

// held counts a certificate through versions of an object, one a minute, and
// returns for how long it is trusted at the end.
func held(versions ...configuration) time.Duration {
	var t trust
	for i, c := range versions {
		now := time.Duration(i) * time.Minute
		c.UID = "u"
		c.Entries = []entry{{Bundle: Bundle{Certificates: []Certificate{{SHA256: "ca"}}}}}
		t.read(now, now, c)
	}
	return t.held()["ca"]
}

func TestForHowLongACertificateIsTrusted(t *testing.T) {
	for sentence, test := range map[string]struct {
		versions []configuration
		want     time.Duration
	}{
		"a version that stays counts on": {
			[]configuration{{Version: "5", Generation: 1}, {Version: "5", Generation: 1}, {Version: "5", Generation: 1}}, 2 * time.Minute,
		},
		"the next generation counts on": {
			[]configuration{{Version: "5", Generation: 1}, {Version: "7", Generation: 2}, {Version: "9", Generation: 3}}, 2 * time.Minute,
		},
		"a change beside the entries counts on": {
			[]configuration{{Version: "5", Generation: 1}, {Version: "7", Generation: 1}}, time.Minute,
		},
		"a generation that was missed starts again": {
			[]configuration{{Version: "5", Generation: 1}, {Version: "9", Generation: 3}}, 0,
		},
		"an older generation is left out": {
			[]configuration{{Version: "5", Generation: 2}, {Version: "4", Generation: 1}, {Version: "5", Generation: 2}}, 2 * time.Minute,
		},
		"without generations, a version that stays counts on": {
			[]configuration{{Version: "5"}, {Version: "5"}}, time.Minute,
		},
		"without generations, every other version starts again": {
			[]configuration{{Version: "5"}, {Version: "5"}, {Version: "6"}}, 0,
		},
		"without generations, an older version is left out": {
			[]configuration{{Version: "10"}, {Version: "9"}, {Version: "10"}}, 2 * time.Minute,
		},
		"without generations, a version that is no number starts again": {
			[]configuration{{Version: "a"}, {Version: "b"}}, 0,
		},
	} {
		if got := held(test.versions...); got != test.want {
			t.Errorf("%s: %s, want %s", sentence, got, test.want)
		}
	}
}

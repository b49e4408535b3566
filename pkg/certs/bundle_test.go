package certs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseBundle(t *testing.T) {
	one := makePair(t, "one", time.Now().Add(time.Hour))
	two := makePair(t, "two", time.Now().Add(time.Hour))
	for sentence, test := range map[string]struct {
		content string
		want    []byte
		unclean bool
	}{
		"an empty bundle is clean":                       {"", nil, false},
		"white space is no certificate and does no harm": {"\n \n" + string(one.crt) + "\n", one.crt, false},
		"several certificates stay in their order":       {string(one.crt) + string(two.crt), append(append([]byte{}, one.crt...), two.crt...), false},
		"text around certificates goes":                  {"subject=one\n" + string(one.crt), one.crt, true},
		"a certificate twice goes once":                  {string(one.crt) + string(one.crt), one.crt, true},
		"a key goes":                                     {string(one.crt) + string(one.key), one.crt, true},
		"a certificate that was cut goes":                {string(one.crt) + string(two.crt[:200]), one.crt, true},
		"a block that is no certificate goes":            {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + string(one.crt), one.crt, true},
		"bytes that are no PEM go":                       {"\x00\x01\x02", nil, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := ParseBundle([]byte(test.content))
			if diff := cmp.Diff(string(test.want), string(got.PEM())); diff != "" {
				t.Errorf("certificates (-want +got):\n%s", diff)
			}
			if got.Unclean != test.unclean {
				t.Errorf("unclean is %v", got.Unclean)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	current, following, old := ca("current", 0), ca("next", 0), ca("old", 0)
	state := State{Current: current, Next: &following, Previous: []Previous{previous("old", 0, day)}}
	foreign := func(name string, end time.Duration) Certificate {
		return Certificate{SHA256: name, NotAfter: simOrigin.Add(end)}
	}
	var crowd []Certificate
	for i := range 15 {
		crowd = append(crowd, foreign(fmt.Sprintf("foreign-%d", i), day+time.Duration(15-i)*time.Hour))
	}

	for sentence, test := range map[string]struct {
		live    Bundle
		state   State
		want    string
		changed bool
		missing int
		crowded string
	}{
		"an empty bundle gets everything that the state names": {
			state: state, want: "current next old", changed: true, missing: 3,
		},
		"a bundle that holds everything is left as it is": {
			live:  Bundle{Certificates: []Certificate{old.Certificate, following.Certificate, current.Certificate}},
			state: state, want: "old next current",
		},
		"a foreign valid certificate stays": {
			live:  Bundle{Certificates: []Certificate{foreign("f", day), current.Certificate}},
			state: State{Current: current}, want: "f current",
		},
		"a foreign certificate goes when it has expired": {
			live:  Bundle{Certificates: []Certificate{foreign("f", 0), current.Certificate}},
			state: State{Current: current}, want: "current", changed: true,
		},
		"a retired certificate goes": {
			live:  Bundle{Certificates: []Certificate{old.Certificate, current.Certificate}},
			state: State{Current: current, Retired: []Retired{retired("old", 0)}}, want: "current", changed: true,
		},
		"bytes that are no certificate go": {
			live:  Bundle{Certificates: []Certificate{current.Certificate}, Unclean: true},
			state: State{Current: current}, want: "current", changed: true,
		},
		"beyond sixteen the foreign certificates that expire first go": {
			live: Bundle{Certificates: crowd}, state: state,
			want:    "foreign-0 foreign-1 foreign-2 foreign-3 foreign-4 foreign-5 foreign-6 foreign-7 foreign-8 foreign-9 foreign-10 foreign-11 foreign-12 current next old",
			changed: true, missing: 3, crowded: "foreign-14 foreign-13",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := Merge(at(0), test.live, test.state)
			if diff := cmp.Diff(test.want, shas(got.Bundle.Certificates)); diff != "" {
				t.Errorf("bundle (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.crowded, shas(got.Crowded)); diff != "" {
				t.Errorf("crowded out (-want +got):\n%s", diff)
			}
			if got.Changed != test.changed || len(got.Missing) != test.missing {
				t.Errorf("changed %v, missing %d", got.Changed, len(got.Missing))
			}
			if again := Merge(at(0), got.Bundle, test.state); again.Changed {
				t.Error("a merged bundle is changed once more")
			}
		})
	}
}

func shas(certificates []Certificate) string {
	var names []string
	for _, c := range certificates {
		names = append(names, c.SHA256)
	}
	return strings.Join(names, " ")
}

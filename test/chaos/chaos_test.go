package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/test/chaos/podload"
)

func TestWhatMustHoldIsFoundBroken(t *testing.T) {
	repaired := time.Now()
	missed := func(after time.Duration) podload.Counts {
		return podload.Counts{Unmutated: []podload.Miss{{Begin: repaired.Add(after)}}}
	}
	for sentence, tc := range map[string]struct {
		event  event
		counts podload.Counts
		broken int
	}{
		"nothing was seen":                                       {event{}, podload.Counts{Pods: 9, Legacy: 5}, 0},
		"a Pod was missed where none may be":                     {event{}, missed(0), 1},
		"a Pod was missed and that is only reported":             {event{must: report}, missed(0), 0},
		"a Pod was missed while the caBundle was gone":           {event{must: nothingMissedAfterRepair}, missed(-time.Millisecond), 0},
		"a Pod was missed while the API server hears of it":      {event{must: nothingMissedAfterRepair}, missed(informed), 0},
		"a Pod was missed after the repair":                      {event{must: nothingMissedAfterRepair}, missed(2 * informed), 1},
		"a refusal is never only reported":                       {event{must: report}, podload.Counts{Refused: []string{"no"}}, 1},
		"a connection failed while the API server was away":      {event{away: true}, podload.Counts{Retried: 1}, 0},
		"a connection failed although the API server was there":  {event{}, podload.Counts{Retried: 1}, 1},
		"everything at once is told in as many lines":            {event{}, missed(0).Plus(podload.Counts{Refused: []string{"no"}, Retried: 1}), 3},
		"a miss in the first of two rounds is not made up later": {event{}, missed(time.Hour), 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &row{event: tc.event}
			r.add(tc.counts, seen{repaired: repaired}, nil)
			r.add(podload.Counts{}, seen{repaired: repaired}, nil)
			if got := len(r.broken()); got != tc.broken {
				t.Errorf("%d lines instead of %d: %q", got, tc.broken, r.broken())
			}
			if err := verdict([]*row{r}); (err != nil) != (tc.broken > 0) {
				t.Errorf("the verdict is %v", err)
			}
		})
	}
}

func TestTheProtocolsOfAConnectionAreRead(t *testing.T) {
	for sentence, protocols := range map[string][]string{
		"HTTP/1.1 alone": {"http/1.1"},
		"HTTP/2 as well": {"h2", "http/1.1"},
		"none":           nil,
	} {
		t.Run(sentence, func(t *testing.T) {
			client, server := net.Pipe()
			go tls.Client(client, &tls.Config{ServerName: "a.example", NextProtos: protocols, MinVersion: tls.VersionTLS13}).HandshakeContext(t.Context()) //nolint:errcheck // nobody answers
			_, got, err := readHello(t.Context(), server)
			hangUp(client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(protocols, got); diff != "" {
				t.Errorf("protocols (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoTLSIsAnError(t *testing.T) {
	for sentence, sent := range map[string]string{
		"nothing":       "",
		"plain HTTP":    "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"half a record": "\x16\x03\x01\x00\x10abc",
		"another thing": "\x16\x03\x01\x00\x04abcd",
	} {
		t.Run(sentence, func(t *testing.T) {
			record, _, err := readHello(t.Context(), bytes.NewReader([]byte(sent)))
			if err == nil {
				t.Error("it was taken for a connection")
			}
			if !bytes.HasPrefix([]byte(sent), record) {
				t.Errorf("what was read would not be passed on: %q", record)
			}
		})
	}
}

func TestTheAPIServersReasonsAreCounted(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &failOpen{log: log}
	const line = `W1 dispatcher.go:1] Failed calling webhook, failing open rewrite.probeshift.dev: failed to call webhook: Post "https://a.example:443/": EOF` + "\n"
	for _, piece := range []string{line[:30], line[30:] + "another line\n" + line} {
		if _, err := f.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"2 x EOF"}, f.take()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if again := f.take(); len(again) > 0 {
		t.Errorf("they are told twice: %q", again)
	}
}

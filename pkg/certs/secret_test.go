package certs

import (
	"crypto/rand"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testKeyring() x509Keyring {
	return x509Keyring{
		names:  []string{"probeshift-webhook.probeshift.svc", "127.0.0.1"},
		caLife: 90 * day,
		random: rand.Reader,
	}
}

func mint(t *testing.T, now Now) Authority {
	t.Helper()
	authority, err := testKeyring().mint(now)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

// fullState uses every field of a state.
func fullState(t *testing.T) State {
	t.Helper()
	following := mint(t, at(day))
	return State{
		Epoch:       7,
		Current:     mint(t, at(0)),
		Next:        &following,
		Previous:    []Previous{{Certificate: mint(t, at(0)).Certificate, RetireAt: simOrigin.Add(day)}},
		Retired:     []Retired{retired("gone", 0)},
		LeafLife:    7 * day,
		Rotate:      "a",
		Revoke:      "b",
		PreparedAt:  simOrigin,
		ActivatedAt: simOrigin.Add(time.Hour),
	}
}

func encode(t *testing.T, data map[string][]byte, state State) map[string][]byte {
	t.Helper()
	out, err := encodeState(data, state)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAStateComesBackFromTheSecretAsItWas(t *testing.T) {
	data := encode(t, nil, fullState(t))
	read, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(data, encode(t, nil, read)); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	if read.Epoch != 7 || read.Next == nil || len(read.Previous) != 1 || !read.retired("gone") || read.LeafLife != 7*day {
		t.Errorf("something is lost: %+v", read)
	}
}

func TestWhatANewerReleaseWroteStays(t *testing.T) {
	data := encode(t, map[string][]byte{"other": []byte("x")}, fullState(t))
	data[keyState] = []byte(strings.Replace(string(data[keyState]), "{", `{"future": {"a": 1},`, 1))
	read, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	read.Next = nil
	again := encode(t, data, read)
	if !strings.Contains(string(again[keyState]), `"future"`) {
		t.Errorf("an unknown field is lost:\n%s", again[keyState])
	}
	if string(again["other"]) != "x" {
		t.Error("an unknown key is lost")
	}
	if _, ok := again[keyNextKey]; ok {
		t.Error("the key of a CA that has gone is still there")
	}
}

func TestUnreadableSecrets(t *testing.T) {
	data := encode(t, nil, fullState(t))
	other := encode(t, nil, State{Current: mint(t, at(0))})
	leaf := makePair(t, "somebody", time.Now().Add(time.Hour))
	for sentence, test := range map[string]struct {
		change func(map[string][]byte)
		want   string
	}{
		"a Secret of something else":            {func(d map[string][]byte) { delete(d, keyState) }, "it has no state.json"},
		"a state that is no JSON":               {func(d map[string][]byte) { d[keyState] = []byte("{") }, "state.json: unexpected end of JSON input"},
		"a state without the leaves' life":      {func(d map[string][]byte) { d[keyState] = []byte("{}") }, `state.json: leafLife: time: invalid duration ""`},
		"somebody else's certificate":           {func(d map[string][]byte) { d[keyCurrent] = leaf.crt }, "current.crt and current.key: certificate is not a CA"},
		"the certificate of another CA":         {func(d map[string][]byte) { d[keyCurrent] = other[keyCurrent] }, "current.crt and current.key: key does not belong to the certificate"},
		"no certificate":                        {func(d map[string][]byte) { delete(d, keyCurrent) }, "current.crt and current.key: certificate is not exactly one PEM block"},
		"no key":                                {func(d map[string][]byte) { delete(d, keyCurrentKey) }, "current.crt and current.key: key is not PEM"},
		"a key that was cut":                    {func(d map[string][]byte) { d[keyCurrentKey] = d[keyCurrentKey][:60] }, "current.crt and current.key: key is not PEM"},
		"a next CA without its key":             {func(d map[string][]byte) { delete(d, keyNextKey) }, "next.crt and next.key: key is not PEM"},
		"a previous CA without its certificate": {func(d map[string][]byte) { delete(d, keyPrevious) }, "previous.crt: certificate "},
	} {
		t.Run(sentence, func(t *testing.T) {
			broken := maps.Clone(data)
			test.change(broken)
			_, err := decodeState(broken)
			if err == nil {
				t.Fatal("it is read")
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %q, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "PRIVATE") {
				t.Error("the error quotes a key")
			}
		})
	}
}

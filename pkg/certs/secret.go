package certs

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"time"
)

// The keys of the Secret. Keys beside them stay as they are.
const (
	keyBundle      = "ca.crt" // everything to trust, for people
	keyCurrent     = "current.crt"
	keyCurrentKey  = "current.key"
	keyNext        = "next.crt"
	keyNextKey     = "next.key"
	keyPrevious    = "previous.crt"
	keyState       = "state.json"
	annotateRotate = "probeshift.dev/rotate"
	annotateRevoke = "probeshift.dev/revoke"
)

// stateJSON is the content of state.json. Releases only ever add fields; a
// release that does not know a field keeps it.
type stateJSON struct {
	Epoch       int64          `json:"epoch"`
	LeafLife    string         `json:"leafLife"`
	Previous    []previousJSON `json:"previous,omitempty"`
	Retired     []Retired      `json:"retired,omitempty"`
	Rotate      string         `json:"rotate,omitempty"`
	Revoke      string         `json:"revoke,omitempty"`
	PreparedAt  time.Time      `json:"preparedAt,omitzero"`
	ActivatedAt time.Time      `json:"activatedAt,omitzero"`
}

// previousJSON says when the certificate of that SHA-256 in previous.crt may
// retire.
type previousJSON struct {
	SHA256   string    `json:"sha256"`
	RetireAt time.Time `json:"retireAt"`
}

// encodeState writes a state over the data of a Secret.
func encodeState(data map[string][]byte, state State) (map[string][]byte, error) {
	out := maps.Clone(data)
	if out == nil {
		out = map[string][]byte{}
	}
	var err error
	out[keyBundle] = encodeCertificates(state.named()...)
	out[keyCurrent] = encodeCertificates(state.Current.Certificate)
	if out[keyCurrentKey], err = encodeKey(state.Current.Key); err != nil {
		return nil, err
	}
	delete(out, keyNext)
	delete(out, keyNextKey)
	if state.Next != nil {
		out[keyNext] = encodeCertificates(state.Next.Certificate)
		if out[keyNextKey], err = encodeKey(state.Next.Key); err != nil {
			return nil, err
		}
	}
	delete(out, keyPrevious)
	if len(state.Previous) > 0 {
		out[keyPrevious] = encodePrevious(state.Previous)
	}
	out[keyState], err = encodeStateJSON(state)
	return out, err
}

func encodePrevious(previous []Previous) []byte {
	var certificates []Certificate
	for _, p := range previous {
		certificates = append(certificates, p.Certificate)
	}
	return encodeCertificates(certificates...)
}

func encodeStateJSON(state State) ([]byte, error) {
	known := stateJSON{
		Epoch:       state.Epoch,
		LeafLife:    state.LeafLife.String(),
		Retired:     state.Retired,
		Rotate:      state.Rotate,
		Revoke:      state.Revoke,
		PreparedAt:  state.PreparedAt,
		ActivatedAt: state.ActivatedAt,
	}
	for _, p := range state.Previous {
		known.Previous = append(known.Previous, previousJSON{SHA256: p.SHA256, RetireAt: p.RetireAt})
	}
	content, err := json.Marshal(known)
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	all := maps.Clone(state.unknown)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return json.MarshalIndent(all, "", "  ")
}

// decodeState reads a state from the data of a Secret. Its errors name the key
// at fault and never quote a private key.
func decodeState(data map[string][]byte) (State, error) {
	content, ok := data[keyState]
	if !ok {
		return State{}, errors.New("it has no " + keyState)
	}
	state, previous, err := decodeStateJSON(content)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", keyState, err)
	}
	if state.Current, err = decodeAuthority(data[keyCurrent], data[keyCurrentKey]); err != nil {
		return State{}, fmt.Errorf("%s and %s: %w", keyCurrent, keyCurrentKey, err)
	}
	if _, ok := data[keyNext]; ok {
		next, err := decodeAuthority(data[keyNext], data[keyNextKey])
		if err != nil {
			return State{}, fmt.Errorf("%s and %s: %w", keyNext, keyNextKey, err)
		}
		state.Next = &next
	}
	if state.Previous, err = decodePrevious(data[keyPrevious], previous); err != nil {
		return State{}, fmt.Errorf("%s: %w", keyPrevious, err)
	}
	return state, nil
}

func decodeStateJSON(content []byte) (State, []previousJSON, error) {
	var known stateJSON
	if err := json.Unmarshal(content, &known); err != nil {
		return State{}, nil, err
	}
	leafLife, err := time.ParseDuration(known.LeafLife)
	if err != nil {
		return State{}, nil, fmt.Errorf("leafLife: %w", err)
	}
	unknown := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &unknown); err != nil {
		return State{}, nil, err
	}
	for _, name := range []string{
		"epoch", "leafLife", "previous", "retired", "rotate", "revoke", "preparedAt", "activatedAt",
	} {
		delete(unknown, name)
	}
	return State{
		Epoch: known.Epoch, LeafLife: leafLife, Retired: known.Retired,
		Rotate: known.Rotate, Revoke: known.Revoke,
		PreparedAt: known.PreparedAt, ActivatedAt: known.ActivatedAt,
		unknown: unknown,
	}, known.Previous, nil
}

// decodePrevious joins the certificates with their times.
func decodePrevious(content []byte, times []previousJSON) ([]Previous, error) {
	bySHA := map[string]Certificate{}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := parseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		bySHA[certificate.SHA256] = certificate
	}
	var previous []Previous
	for _, p := range times {
		certificate, ok := bySHA[p.SHA256]
		if !ok {
			return nil, fmt.Errorf("certificate %s is missing", p.SHA256)
		}
		previous = append(previous, Previous{Certificate: certificate, RetireAt: p.RetireAt})
	}
	return previous, nil
}

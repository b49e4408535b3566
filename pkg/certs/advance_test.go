package certs

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// at is a time on both clocks, that long after the origin.
func at(d time.Duration) Now {
	return Now{Local: simOrigin.Add(d), Server: simOrigin.Add(d)}
}

// ca is a CA issued that long after the origin; it lives for 90 days.
func ca(name string, issued time.Duration) Authority {
	return Authority{Certificate: Certificate{
		SHA256:    name,
		NotBefore: simOrigin.Add(issued - backdate),
		NotAfter:  simOrigin.Add(issued + 90*day),
	}}
}

func next(name string, issued time.Duration) *Authority {
	a := ca(name, issued)
	return &a
}

func previous(name string, issued, retireAt time.Duration) Previous {
	return Previous{Certificate: ca(name, issued).Certificate, RetireAt: simOrigin.Add(retireAt)}
}

func retired(name string, issued time.Duration) Retired {
	return Retired{SHA256: name, NotAfter: ca(name, issued).NotAfter}
}

func advanceOptions() Options {
	o := DefaultOptions()
	o.CALife = 90 * day
	return o
}

func TestAdvance(t *testing.T) {
	leafLife := DefaultOptions().LeafLife
	steady := State{Epoch: 3, Current: ca("one", 0), LeafLife: leafLife}
	rotating := State{Epoch: 4, Current: ca("one", 0), Next: next("two", 60*day), LeafLife: leafLife}
	rotated := State{
		Epoch: 5, Current: ca("two", 60*day), LeafLife: leafLife,
		Previous: []Previous{previous("one", 0, 68*day)}, ActivatedAt: simOrigin.Add(61 * day),
	}
	with := func(state State, change func(*State)) State {
		state.Previous = slices.Clone(state.Previous)
		change(&state)
		return state
	}

	for sentence, test := range map[string]struct {
		now     Now
		memory  State
		seen    Observed
		want    State
		actions Actions
	}{
		"a Secret that is not there is waited for": {
			now: at(0), seen: Observed{AbsentFor: time.Second},
			actions: Actions{Wait: 4 * time.Second},
		},
		"after five seconds a CA is asked for": {
			now: at(0), seen: Observed{AbsentFor: 5 * time.Second},
			actions: Actions{NeedsFresh: true},
		},
		"the first state has epoch 0 and its CA is used at once": {
			now: at(0), seen: Observed{AbsentFor: 5 * time.Second, Rotate: "a", Fresh: next("one", 0)},
			want:    State{Current: ca("one", 0), LeafLife: leafLife, Rotate: "a", ActivatedAt: simOrigin},
			actions: Actions{Step: StepMint, Untrusted: true},
		},
		"a clock that is hours off mints nothing": {
			now:  Now{Local: simOrigin.Add(13 * time.Hour), Server: simOrigin},
			seen: Observed{AbsentFor: time.Hour}, actions: Actions{Wait: time.Minute},
		},
		"a deleted Secret is written again from memory": {
			now: at(day), memory: steady, seen: Observed{},
			want: steady, actions: Actions{Step: StepRestore},
		},
		"the Secret is believed by who remembers nothing": {
			now: at(day), seen: Observed{Live: &steady}, want: steady,
		},
		"a newer state is taken over": {
			now: at(60 * day), memory: steady, seen: Observed{Live: &rotating}, want: rotating,
		},
		"an older state is overwritten, and its CA stays trusted for a while": {
			now: at(day), memory: steady,
			seen: Observed{Live: &State{Current: ca("other", day), LeafLife: leafLife}},
			want: with(steady, func(s *State) {
				s.Epoch = 4
				s.Previous = []Previous{previous("other", day, day+leafLife+time.Hour)}
			}),
			actions: Actions{Step: StepRestore},
		},
		"a state that trusts a CA known to be retired is overwritten whatever its epoch": {
			now:    at(70 * day),
			memory: with(rotated, func(s *State) { s.Previous = nil; s.Retired = []Retired{retired("one", 0)} }),
			seen:   Observed{Live: &State{Epoch: 9, Current: ca("one", 0), LeafLife: leafLife}},
			want: with(rotated, func(s *State) {
				s.Epoch = 10
				s.Previous = nil
				s.Retired = []Retired{retired("one", 0)}
			}),
			actions: Actions{Step: StepRestore},
		},
		"what is known to be retired is remembered in a newer state": {
			now:    at(70 * day),
			memory: with(steady, func(s *State) { s.Retired = []Retired{retired("zero", 0)} }),
			seen:   Observed{Live: &rotated},
			want:   with(rotated, func(s *State) { s.Epoch = 6; s.Retired = []Retired{retired("zero", 0)}; s.Previous = rotated.Previous }),
			actions: Actions{
				Step: StepRemember,
			},
		},
		"nothing is to be done before 2/3 of the CA's life": {
			now: at(59 * day), memory: steady, seen: Observed{Live: &steady}, want: steady,
		},
		"at 2/3 of the CA's life a CA is asked for": {
			now: at(60 * day), memory: steady, seen: Observed{Live: &steady}, want: steady,
			actions: Actions{NeedsFresh: true},
		},
		"at 2/3 of the CA's life the next CA is prepared": {
			now: at(60 * day), memory: steady, seen: Observed{Live: &steady, Fresh: next("two", 60*day)},
			want:    with(rotating, func(s *State) { s.PreparedAt = simOrigin.Add(60 * day) }),
			actions: Actions{Step: StepPrepare},
		},
		"a new value of the annotation prepares the next CA": {
			now: at(day), memory: steady, seen: Observed{Live: &steady, Rotate: "x", Fresh: next("two", day)},
			want: with(steady, func(s *State) {
				s.Epoch, s.Next, s.Rotate, s.PreparedAt = 4, next("two", day), "x", simOrigin.Add(day)
			}),
			actions: Actions{Step: StepPrepare},
		},
		"a value that was acted on prepares nothing": {
			now: at(day), memory: steady,
			seen: Observed{Live: &State{Epoch: 3, Current: ca("one", 0), LeafLife: leafLife, Rotate: "x"}, Rotate: "x"},
			want: State{Epoch: 3, Current: ca("one", 0), LeafLife: leafLife, Rotate: "x"},
		},
		"the next CA waits until it has been trusted for the settle time": {
			now: at(60 * day), memory: rotating,
			seen: Observed{Live: &rotating, Held: map[string]time.Duration{"two": 15*time.Minute - 1}},
			want: rotating,
		},
		"the next CA signs once it has been trusted for the settle time": {
			now: at(61 * day), memory: rotating,
			seen: Observed{Live: &rotating, Held: map[string]time.Duration{"two": 15 * time.Minute}},
			want: with(rotating, func(s *State) {
				s.Epoch, s.Current, s.Next = 5, ca("two", 60*day), nil
				s.Previous = []Previous{previous("one", 0, 61*day+leafLife+time.Hour)}
				s.ActivatedAt = simOrigin.Add(61 * day)
			}),
			actions: Actions{Step: StepActivate},
		},
		"a previous CA stays before its time": {
			now: at(68*day - 1), memory: rotated, seen: Observed{Live: &rotated}, want: rotated,
		},
		"a previous CA retires at its time": {
			now: at(68 * day), memory: rotated, seen: Observed{Live: &rotated},
			want: with(rotated, func(s *State) {
				s.Epoch, s.Previous, s.Retired = 6, nil, []Retired{retired("one", 0)}
			}),
			actions: Actions{Step: StepRetire},
		},
		"a previous CA retires only when both clocks agree": {
			now:    Now{Local: simOrigin.Add(68 * day), Server: simOrigin.Add(68*day - time.Hour)},
			memory: rotated, seen: Observed{Live: &rotated}, want: rotated,
		},
		"a revocation replaces every CA at once": {
			now: at(61 * day), memory: rotating, seen: Observed{Live: &rotating, Revoke: "now", Fresh: next("three", 61*day)},
			want: State{
				Epoch: 5, Current: ca("three", 61*day), LeafLife: leafLife, Revoke: "now",
				Retired: []Retired{retired("one", 0), retired("two", 60*day)}, ActivatedAt: simOrigin.Add(61 * day),
			},
			actions: Actions{Step: StepRevoke, Untrusted: true},
		},
		"an expired CA gives way to the next one at once": {
			now: at(90 * day), memory: rotating, seen: Observed{Live: &rotating},
			want: State{
				Epoch: 5, Current: ca("two", 60*day), LeafLife: leafLife,
				Previous:    []Previous{previous("one", 0, 90*day+leafLife+time.Hour)},
				ActivatedAt: simOrigin.Add(90 * day),
			},
			actions: Actions{Step: StepReplace, Untrusted: true},
		},
		"an expired CA without a next one gives way to a new one": {
			now: at(90 * day), memory: steady, seen: Observed{Live: &steady, Fresh: next("two", 90*day)},
			want: State{
				Epoch: 4, Current: ca("two", 90*day), LeafLife: leafLife,
				Previous:    []Previous{previous("one", 0, 90*day+leafLife+time.Hour)},
				ActivatedAt: simOrigin.Add(90 * day),
			},
			actions: Actions{Step: StepReplace, Untrusted: true},
		},
		"the issuer of the leaf in service is kept when the state does not know it": {
			now: at(day), memory: steady,
			seen: Observed{Live: &steady, Issuer: &next("other", 0).Certificate},
			want: with(steady, func(s *State) {
				s.Epoch = 4
				s.Previous = []Previous{previous("other", 0, day+leafLife+time.Hour)}
			}),
			actions: Actions{Step: StepKeep},
		},
		"the issuer of the leaf in service is kept for as long as the leaf lives": {
			now: at(61 * day), memory: rotated,
			seen: Observed{Live: &rotated, Issuer: &next("one", 0).Certificate, LeafUntil: simOrigin.Add(69 * day)},
			want: with(rotated, func(s *State) {
				s.Epoch = 6
				s.Previous[0].RetireAt = simOrigin.Add(69 * day)
			}),
			actions: Actions{Step: StepKeep},
		},
		"an older state whose CA is a previous one delays its retirement": {
			now: at(67 * day), memory: rotated, seen: Observed{Live: &steady},
			want: with(rotated, func(s *State) {
				s.Epoch = 6
				s.Previous[0].RetireAt = simOrigin.Add(67*day + leafLife + time.Hour)
			}),
			actions: Actions{Step: StepRestore},
		},
		"a longer life of leaves is made known first": {
			now: at(day), memory: steady,
			seen:    Observed{Live: &State{Epoch: 3, Current: ca("one", 0), LeafLife: time.Hour}},
			want:    State{Epoch: 4, Current: ca("one", 0), LeafLife: leafLife},
			actions: Actions{Step: StepLeafLife},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, actions := advanceOptions().Advance(test.now, test.memory, test.seen)
			equal := []cmp.Option{cmpopts.IgnoreUnexported(State{}), cmpopts.EquateEmpty()}
			if diff := cmp.Diff(test.want, got, equal...); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.actions, actions); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if again, _ := advanceOptions().Advance(test.now, test.memory, test.seen); !cmp.Equal(got, again, equal...) {
				t.Error("equal arguments give different results")
			}
		})
	}
}

func TestTheNextCAWaitsForTheOverlap(t *testing.T) {
	options := DefaultDiscoveryOptions()
	settled := map[string]time.Duration{"two": options.Settle}
	made := simOrigin.Add(60 * day)
	rotating := State{Epoch: 4, Current: ca("one", 0), Next: next("two", 60*day), LeafLife: options.LeafLife, PreparedAt: made}
	for sentence, test := range map[string]struct {
		now  Now
		held map[string]time.Duration
		step Step
		left time.Duration
	}{
		"before the overlap has ended": {
			Now{Local: made.Add(year - time.Second), Server: made.Add(year - time.Second)}, settled, "", time.Second,
		},
		"when it has ended on one clock": {
			Now{Local: made.Add(year), Server: made.Add(year - time.Hour)}, settled, "", time.Hour,
		},
		"when it has ended, and the settle time has not": {
			Now{Local: made.Add(year), Server: made.Add(year)}, nil, "", 0,
		},
		"when both have ended": {
			Now{Local: made.Add(year), Server: made.Add(year)}, settled, StepActivate, 0,
		},
	} {
		rotating.Current.NotAfter = made.Add(5 * year)
		rotating.Next.NotAfter = made.Add(10 * year)
		_, actions := options.Advance(test.now, rotating, Observed{Live: &rotating, Held: test.held})
		if actions.Step != test.step {
			t.Errorf("%s: step %q, want %q", sentence, actions.Step, test.step)
		}
		if left := options.overlapLeft(test.now, rotating); left != test.left {
			t.Errorf("%s: %s left, want %s", sentence, left, test.left)
		}
	}
}

package certs

import (
	"context"
	"slices"
	"testing"
	"time"
)

// mutantSeeds is how many seeds may pass until a mutant is found out.
const mutantSeeds = 2000

// withAdvance changes what Advance is told or answers.
func withAdvance(change func(r *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions)) mutant {
	return mutant{broken: func(r *simReplica) { r.advance = change(r, r.advance) }}
}

// withMerge changes what Merge is told or answers.
func withMerge(change func(now Now, live Bundle, state State) Merged) mutant {
	return mutant{broken: func(r *simReplica) { r.merge = change }}
}

// withStore changes what a process sees of the API server.
func withStore(change func(r *simReplica) store) mutant {
	return mutant{broken: func(r *simReplica) { r.store = change(r) }}
}

// cachedSecret answers some readings with what the last one saw.
type cachedSecret struct {
	store
	r    *simReplica
	last *secret
}

func (c *cachedSecret) readSecret(ctx context.Context) (secret, error) {
	if c.last != nil && c.r.w.chance(0.9) {
		return *c.last, nil
	}
	read, err := c.store.readSecret(ctx)
	if err == nil {
		c.last = &read
	}
	return read, err
}

// oneEntry applies the first entry alone.
type oneEntry struct{ store }

func (o oneEntry) applyBundles(ctx context.Context, c configuration) (configuration, error) {
	c.Entries = c.Entries[:1]
	return o.store.applyBundles(ctx, c)
}

func TestEachCheckFailsWhenItsRuleIsBroken(t *testing.T) {
	for sentence, test := range map[string]struct {
		mutant mutant
		check  string
	}{
		"a replica counts no overlap": {
			mutant{kind: Discovery, broken: func(r *simReplica) {
				options := r.options
				options.Overlap = 0
				r.advance = options.Advance
			}}, checkOverlap,
		},
		"a missed version of the ConfigMap goes unnoticed": {
			// Without an overlap, which would hide most of what goes wrong.
			mutant{kind: Discovery, broken: func(r *simReplica) {
				r.options.Overlap = 0
				r.replica.options, r.advance = r.options, r.options.Advance
				r.store = versionless{r, r}
			}}, checkSettled,
		},
		"a replica counts no settle time": {
			mutant{broken: func(r *simReplica) {
				options := r.options
				options.Settle = 0
				r.replica.options.Settle, r.advance = 0, options.Advance
			}}, checkSettled,
		},
		"a replica gives up its good leaf before it has seen the new CA settle": {
			mutant{broken: func(r *simReplica) { r.replica.options.Settle = 0 }}, checkSettled,
		},
		"a CA retires as soon as it is replaced": {
			mutant{broken: func(r *simReplica) {
				options := r.options
				options.RetireMargin = -100 * time.Hour
				r.advance = options.Advance
			}}, checkRetire,
		},
		"a merge forgets what is retired": {
			withMerge(func(now Now, live Bundle, state State) Merged {
				merged := Merge(now, live, state)
				for _, retired := range state.Retired {
					if !live.holds(retired.SHA256) {
						merged.Changed = true
						merged.Bundle.Certificates = append(merged.Bundle.Certificates, Certificate{SHA256: retired.SHA256, NotAfter: retired.NotAfter})
					}
				}
				return merged
			}), checkRetired,
		},
		"a merge writes the state alone": {
			withMerge(func(now Now, live Bundle, state State) Merged {
				merged := Merge(now, live, state)
				foreign := len(merged.Bundle.Certificates)
				merged.Bundle.Certificates = slices.DeleteFunc(merged.Bundle.Certificates, func(c Certificate) bool { return !state.names(c.SHA256) })
				merged.Changed = merged.Changed || foreign != len(merged.Bundle.Certificates)
				return merged
			}), checkForeign,
		},
		"a merge leaves out what is previous": {
			withMerge(func(now Now, live Bundle, state State) Merged {
				merged := Merge(now, live, state)
				merged.Bundle.Certificates = slices.DeleteFunc(merged.Bundle.Certificates, func(c Certificate) bool {
					return slices.ContainsFunc(state.Previous, func(p Previous) bool { return p.SHA256 == c.SHA256 })
				})
				merged.Changed = len(merged.Bundle.Certificates) != len(live.Certificates)
				return merged
			}), checkIssuer,
		},
		"a merge knows no limit": {
			withMerge(func(now Now, live Bundle, state State) Merged {
				merged := Merge(now, live, state)
				merged.Bundle.Certificates = append(merged.Bundle.Certificates, merged.Crowded...)
				return merged
			}), checkSixteen,
		},
		"a merge always writes": {
			withMerge(func(now Now, live Bundle, state State) Merged {
				merged := Merge(now, live, state)
				merged.Changed = true
				return merged
			}), checkDiffers,
		},
		"a write names one entry alone": {
			withStore(func(r *simReplica) store { return oneEntry{r} }), checkEntries,
		},
		"a write of the caBundle does not say on top of what": {
			mutant{blindApply: true}, checkForeign,
		},
		"a write of the Secret does not say on top of what": {
			mutant{blindSecret: true}, checkEpoch,
		},
		"the Secret is read from a cache": {
			withStore(func(r *simReplica) store { return &cachedSecret{store: r, r: r} }), checkFresh,
		},
		"the Secret is not read again before a write of the caBundle": {
			withStore(func(r *simReplica) store { return &unconfirmed{store: r} }), checkRetired,
		},
		"a missed version of the configuration goes unnoticed": {
			withStore(func(r *simReplica) store { return gapless{r, r} }), checkSettled,
		},
		"a step does not raise the epoch": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					state, actions := advance(now, memory, seen)
					if actions.Step == StepPrepare {
						state.Epoch--
					}
					return state, actions
				}
			}), checkEpoch,
		},
		"a replica believes whatever is in the Secret": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					if seen.Live != nil {
						memory = State{}
					}
					return advance(now, memory, seen)
				}
			}), checkMemory,
		},
		"a replica forgets its state when the Secret has gone": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					if seen.Live == nil {
						memory = State{}
					}
					return advance(now, memory, seen)
				}
			}), checkDeletion,
		},
		"a replica mints as soon as there is no Secret": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					seen.AbsentFor = mintWait
					return advance(now, memory, seen)
				}
			}), checkMint,
		},
		"a rotation replaces the CA at once": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					state, actions := advance(now, memory, seen)
					if actions.Step == StepPrepare {
						state.Current, state.Next = *state.Next, nil
					}
					return state, actions
				}
			}), checkRotation,
		},
		"a leaf outlives its CA": {mutant{immortalLeaf: true}, checkWithin},
		"the clock is not compared with the API server's": {
			mutant{broken: func(r *simReplica) { r.store = dateless{r} }}, checkSkew,
		},
		"a wiped caBundle withdraws the replica": {
			mutant{broken: func(r *simReplica) {
				r.store = &closing{store: r, r: r}
			}}, checkReady,
		},
		"no replica retires anything": {
			withAdvance(func(_ *simReplica, advance func(Now, State, Observed) (State, Actions)) func(Now, State, Observed) (State, Actions) {
				return func(now Now, memory State, seen Observed) (State, Actions) {
					state, actions := advance(now, memory, seen)
					if actions.Step == StepRetire {
						return memory, Actions{}
					}
					return state, actions
				}
			}), checkHeals,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			found := map[string]int{}
			for seed := range int64(mutantSeeds) {
				w := runSeed(test.mutant.kind, seed, test.mutant, false)
				if w.violated == nil {
					continue
				}
				if w.violated.check == test.check {
					return
				}
				found[w.violated.check]++
			}
			t.Errorf("%d seeds pass the check %q; others that failed: %v", mutantSeeds, test.check, found)
		})
	}
}

// unconfirmed answers the reading of the Secret before a write of the caBundle
// with what the pass began with.
type unconfirmed struct {
	store
	last  secret
	again bool
}

func (u *unconfirmed) readSecret(ctx context.Context) (secret, error) {
	if u.again {
		u.again = false
		return u.last, nil
	}
	read, err := u.store.readSecret(ctx)
	u.last = read
	return read, err
}

func (u *unconfirmed) applyBundles(ctx context.Context, c configuration) (configuration, error) {
	u.again = false
	return u.store.applyBundles(ctx, c)
}

func (u *unconfirmed) readConfiguration(ctx context.Context) (configuration, error) {
	c, err := u.store.readConfiguration(ctx)
	u.again = err == nil && len(c.trusted()) < len(u.last.names())
	return c, err
}

// names returns what a readable Secret names.
func (s secret) names() []Certificate {
	if s.State == nil {
		return nil
	}
	return s.State.named()
}

// gapless hides that versions of the configuration were missed.
type gapless struct {
	store
	r *simReplica
}

func (g gapless) readConfiguration(ctx context.Context) (configuration, error) {
	c, err := g.store.readConfiguration(ctx)
	if err == nil && c.UID == g.r.trust.uid && c.Generation > g.r.trust.generation {
		g.r.trust.generation = c.Generation - 1
	}
	return c, err
}

// versionless hides that a ConfigMap has changed.
type versionless struct {
	store
	r *simReplica
}

func (v versionless) readConfiguration(ctx context.Context) (configuration, error) {
	c, err := v.store.readConfiguration(ctx)
	if err == nil && c.UID == v.r.trust.uid {
		v.r.trust.version = c.Version
	}
	return c, err
}

// dateless hides the API server's clock.
type dateless struct{ store }

func (d dateless) readSecret(ctx context.Context) (secret, error) {
	read, err := d.store.readSecret(ctx)
	read.Date = time.Time{}
	return read, err
}

// closing shuts the gate when the leaf's issuer is not in the caBundle.
type closing struct {
	store
	r *simReplica
}

func (c *closing) readConfiguration(ctx context.Context) (configuration, error) {
	read, err := c.store.readConfiguration(ctx)
	if leaf := c.r.leaf.Load(); err == nil && leaf != nil && !read.trusted()[leaf.Issuer.SHA256] {
		c.r.gate.passed = false
	}
	return read, err
}

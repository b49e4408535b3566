package certs

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// mutant breaks a rule on purpose.
type mutant struct {
	// kind is whose certificates show it.
	kind Kind
	// broken changes a process as it starts.
	broken func(*simReplica)
	// What the API server of the model lets through.
	blindSecret, blindApply bool
	// immortalLeaf makes leaves that outlive their CA.
	immortalLeaf bool
}

// runSeed runs one seed with the certificates of a kind.
func runSeed(kind Kind, seed int64, m mutant, trace bool) *world {
	w := &world{kind: kind, rng: rand.New(rand.NewSource(seed)), mutant: m, trace: trace}
	simulate(w)
	return w
}

// seeds returns how many seeds to run: PROBESHIFT_SIM_SEEDS, 250 by default.
func seeds(t *testing.T) int64 {
	t.Helper()
	text, ok := os.LookupEnv("PROBESHIFT_SIM_SEEDS")
	if !ok {
		return 250
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("PROBESHIFT_SIM_SEEDS=%q: write a positive number", text)
	}
	return n
}

func TestTheInvariantsHoldWhateverHappens(t *testing.T) {
	for kind, sentence := range map[Kind]string{Webhook: "the webhook's", Discovery: "discovery's"} {
		n, workers := seeds(t), int64(runtime.GOMAXPROCS(0))
		for worker := range workers {
			t.Run(fmt.Sprintf("%s, seeds from %d in steps of %d", sentence, worker, workers), func(t *testing.T) {
				t.Parallel()
				for seed := worker; seed < n; seed += workers {
					if w := runSeed(kind, seed, mutant{}, false); w.violated != nil {
						again := runSeed(kind, seed, mutant{}, true)
						t.Fatalf("seed %d: %s: %s\n%s", seed, w.violated.check, w.violated.text, strings.Join(again.history, "\n"))
					}
				}
			})
		}
	}
}

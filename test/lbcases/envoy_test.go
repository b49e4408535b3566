package lbcases_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/lbcases"
)

// randomForEnvoy is how many random Pods are shown to Envoy; each costs it a
// tenth of a second.
const randomForEnvoy = 60

// TestEnvoyTakesWhatEveryInjectedPodTellsIt takes the configuration out of the
// patched Pod and lets Envoy itself judge it.
func TestEnvoyTakesWhatEveryInjectedPodTellsIt(t *testing.T) {
	program := os.Getenv("ENVOY")
	if program == "" {
		t.Fatal("ENVOY does not name the program envoy: run make test-envtest, or ENVOY=$(hack/tools/get envoy) go test ./test/lbcases")
	}
	checked := 0
	for _, c := range load(t) {
		policy, err := c.Flags.Policy()
		if err != nil {
			t.Fatal(err)
		}
		if text, found := injectedBootstrap(t, c.Pod, policy); found {
			checked++
			t.Run(c.Name, func(t *testing.T) { validate(t, program, text) })
		}
	}
	for seed := range uint64(randomForEnvoy) {
		flags := lbcases.Flags{IPv6: seed%5 == 0}
		if seed%2 == 0 {
			flags.Discovery = "known"
		}
		policy, err := flags.Policy()
		if err != nil {
			t.Fatal(err)
		}
		if text, found := injectedBootstrap(t, lbcases.Random(rand.New(rand.NewPCG(seed, 2))), policy); found {
			checked++
			t.Run("random Pod "+strconv.FormatUint(seed, 10), func(t *testing.T) { validate(t, program, text) })
		}
	}
	if checked < randomForEnvoy/2 {
		t.Errorf("only %d Pods were injected: too few to prove anything", checked)
	}
}

// injectedBootstrap is the configuration in the Pod as it is patched, as Envoy
// gets it from the kubelet.
func injectedBootstrap(t *testing.T, pod *corev1.Pod, policy sidecar.Policy) (text string, found bool) {
	t.Helper()
	r := sidecar.Inject(pod, lbcases.Namespace, policy)
	if r.Outcome != sidecar.Injected {
		return "", false
	}
	sent, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := sidecar.Apply(sent, r.Operations)
	if err != nil {
		t.Fatal(err)
	}
	var after corev1.Pod
	if err := json.Unmarshal(patched, &after); err != nil {
		t.Fatal(err)
	}
	text, found = sidecar.Bootstrap(&after)
	if !found {
		t.Fatal("the patched Pod has no configuration")
	}
	return strings.NewReplacer("$(POD_IP)", "192.0.2.7", "$(NODE_ZONE)", "zone-a").Replace(text), true
}

func validate(t *testing.T, program, text string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, "--mode", "validate", "--concurrency", "1", "--log-level", "error", "--config-yaml", text)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("envoy --mode validate: %v\n%s", err, out)
	}
}

package root_test

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
)

func TestWrongUseSaysWhereToLook(t *testing.T) {
	for line, want := range map[string]string{
		"audit foo":    `error: audit: "foo" is no flag: audit takes no arguments, and a namespace is named by -n, such as -n foo`,
		"audit --foo":  "error: unknown flag: --foo: see `kubectl probeshift audit --help`",
		"--foo":        "error: unknown flag: --foo: see `kubectl probeshift --help`",
		"migrate -f":   "flag needs an argument: 'f' in -f: see `kubectl probeshift migrate --help`",
		"explain x -a": "as in -- grpc_health_probe -addr=:9000: see `kubectl probeshift explain --help`",
		"aduit":        "did you mean audit?",
	} {
		streams, _, _, told := genericiooptions.NewTestIOStreams()
		if code := root.Run(t.Context(), streams, strings.Fields(line)); code != exit.Error || !strings.Contains(told.String(), want) {
			t.Errorf("%s: exit code %d\n%s", line, code, told)
		}
	}
}

func TestTheVersionIsAFlagToo(t *testing.T) {
	streams, _, out, told := genericiooptions.NewTestIOStreams()
	if code := root.Run(t.Context(), streams, []string{"--version"}); code != exit.OK || !strings.HasPrefix(out.String(), "kubectl probeshift version ") {
		t.Errorf("exit code %d\n%s%s", code, out, told)
	}
}

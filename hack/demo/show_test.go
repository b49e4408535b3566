package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

func execProbe(words ...string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: words}}}
}

// nativeChange is a probe that was rewritten.
func nativeChange() change {
	return change{
		container: "server", kind: "liveness",
		before: execProbe("/bin/grpc_health_probe", "--addr=:9000"),
		after:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000}}},
	}
}

// skippedChange is a probe that was left alone.
func skippedChange() change {
	probe := execProbe("sh", "-c", `grpc_health_probe -addr="unix:///run/plugin.sock"`)
	return change{container: "plugin", kind: "readiness", before: probe, after: probe, reason: reason.UnixSocket}
}

const shown = `
Pod shop-0                             in/a.yaml
  server liveness, readiness
    - exec  /bin/grpc_health_probe --addr=:9000
    + grpc  port 9000
  plugin readiness
    = exec  sh -c 'grpc_health_probe
            -addr="unix:///run/plugin.sock"'
      why   unix-socket: The probe dials a unix
            socket, which the kubelet cannot
            reach.
      fix   Offer the health service on a TCP
            port as well.
  Warning: probeshift: plugin readiness probe
           left as exec: unix-socket
`

// screens are one without and one with colours.
func screens() map[string]*screen {
	return map[string]*screen{
		"without colours": {width: 48},
		"with colours":    {width: 48, colours: true},
	}
}

func TestAPodIsShownInTheWidthOfTheScreen(t *testing.T) {
	readiness := nativeChange()
	readiness.kind = "readiness"
	escapes := regexp.MustCompile(`\x1b\[\d+m`)
	for name, screen := range screens() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			screen.out = &out
			screen.pod("in", "a.yaml", "shop-0", []change{nativeChange(), skippedChange(), readiness},
				[]string{"probeshift: plugin readiness probe left as exec: unix-socket"})
			if diff := cmp.Diff(shown, escapes.ReplaceAllString(out.String(), "")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := escapes.MatchString(out.String()); got != screen.colours {
				t.Errorf("there are colours: %t", got)
			}
		})
	}
}

func TestTheSummaryCountsAndNamesWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		unexpected []string
		want       string
		fails      bool
	}{
		"all is well": {
			want: "\n1 Pods, 3 probes: 1 native now, 2 left alone, all as expected.\n",
		},
		"something is not": {
			unexpected: []string{"a.yaml: there is no exec probe"},
			want:       "\n1 Pods, 3 probes: 1 native now, 2 left alone. Not as expected:\n  ! a.yaml: there is no exec probe\n",
			fails:      true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var tally tally
			tally.add([]change{nativeChange(), skippedChange(), skippedChange()}, tc.unexpected)
			var out bytes.Buffer
			(&screen{out: &out, width: 80}).summary(tally)
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if fails := tally.err() != nil; fails != tc.fails {
				t.Errorf("it fails: %t", fails)
			}
		})
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	got := newScreen(file, file, func(string) string { return "" })
	if want := (screen{out: file, width: 80}); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

package events

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestNotesTellWhatBecameOfTheSidecar(t *testing.T) {
	status := sidecar.Status{Upstreams: []sidecar.UpstreamStatus{
		{Name: "greeter.shop:9000", Dialled: "greeter.shop:9000", Listen: netip.MustParseAddrPort("127.64.0.1:9000")},
	}}
	where := "greeter.shop:9000 is balanced over greeter.shop:9000, at 127.64.0.1:9000"
	warning := []sidecar.Warning{{Code: sidecar.LaterMesh, Text: "a mesh came"}}
	for sentence, tc := range map[string]struct {
		result sidecar.Result
		want   []note
	}{
		"injected":          {sidecar.Result{Outcome: sidecar.Injected, Status: status}, []note{{"Normal", "SidecarInjected", where}}},
		"would be injected": {sidecar.Result{Outcome: sidecar.WouldInject, Status: status}, []note{{"Normal", "SidecarWouldBeInjected", where}}},
		"would be refused": {
			sidecar.Result{Outcome: sidecar.WouldRefuse, Problems: []sidecar.Problem{{Text: "a is b", Remedy: "write c"}, {Text: "d", Remedy: "e"}}},
			[]note{{"Warning", "SidecarWouldBeRefused", "a is b: write c\nd: e"}},
		},
		"would be refused for a long reason on two lines": {
			sidecar.Result{Outcome: sidecar.WouldRefuse, Problems: []sidecar.Problem{{Text: "a\nb", Remedy: strings.Repeat("c", 2000)}, {Text: "d", Remedy: "e"}}},
			[]note{{"Warning", "SidecarWouldBeRefused", "a\uFFFDb: " + strings.Repeat("c", 393) + "...\nd: e"}},
		},
		"failed":            {sidecar.Result{Outcome: sidecar.Failed}, []note{{"Warning", "SidecarNotInjected", "An error of the webhook's own; its log tells more."}}},
		"a later mesh":      {sidecar.Result{Outcome: sidecar.AlreadyInjected, Status: status, Warnings: warning}, []note{{"Warning", "SidecarWarning", "later-mesh: a mesh came"}}},
		"already injected":  {sidecar.Result{Outcome: sidecar.AlreadyInjected, Status: status}, nil},
		"refused":           {sidecar.Result{Outcome: sidecar.Refused, Problems: []sidecar.Problem{{Text: "a", Remedy: "b"}}}, nil},
		"none of our Pods'": {sidecar.Result{}, nil},
	} {
		if diff := cmp.Diff(tc.want, sidecarNotes(tc.result), cmp.AllowUnexported(note{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}

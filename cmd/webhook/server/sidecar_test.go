package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestTheClustersDomainIsThatOfTheSearchList(t *testing.T) {
	for sentence, tc := range map[string]struct{ conf, want string }{
		"as the kubelet writes it":    {"search probeshift.svc.k8s.example.com svc.k8s.example.com k8s.example.com example.com\nnameserver 10.96.0.10\noptions ndots:5\n", "k8s.example.com"},
		"with final dots":             {"search probeshift.svc.a.b. svc.a.b. a.b.", "a.b"},
		"tabs, comments and the rest": {"# search svc.no\n; search svc.no\nnameserver 10.0.0.1\nsearch\tx.svc.yes \t svc.yes", "yes"},
		"a host's own":                {"search example.com\n", "cluster.local"},
		"a domain that is none":       {"search svc.UPPER svc.\n", "cluster.local"},
		"no file":                     {"", "cluster.local"},
	} {
		if got := sidecarPolicy(options(t, nil), tc.conf).ClusterDomain; got != tc.want {
			t.Errorf("%s: %s, want %s", sentence, got, tc.want)
		}
	}
}

func TestPolicyOfTheSidecarsFlags(t *testing.T) {
	conf := "search x.svc.searched svc.searched searched"
	for sentence, tc := range map[string]struct {
		args []string
		want sidecar.Policy
	}{
		"the defaults": {nil, sidecar.Policy{Image: sidecar.DefaultImage, ClusterDomain: "searched"}},
		"every flag": {
			[]string{"--lb-image=example.com/envoy:1@sha256:00", "--cluster-domain=flagged", "--lb-single-stack-ipv6", "--tool-name=hc", "--mesh-proxy-name=p"},
			sidecar.Policy{Image: "example.com/envoy:1@sha256:00", ClusterDomain: "flagged", IPv6: true, ToolNames: []string{"hc"}, MeshProxies: []string{"p"}},
		},
	} {
		if diff := cmp.Diff(tc.want, sidecarPolicy(options(t, nil, tc.args...), conf)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestValidateNamesTheSidecarsFlags(t *testing.T) {
	err := errors.Join(options(t, nil, "--lb-image=", "--cluster-domain=cluster.local.").Validate()...)
	want := `--lb-image="" is no image: name Envoy's, such as ` + sidecar.DefaultImage +
		"\n" + `--cluster-domain="cluster.local." is no domain: write it without a final dot, such as cluster.local`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestHelpHasEveryAnnotationOfTheSidecar(t *testing.T) {
	help := NewCommand(func(string) string { return "" }).Long
	for _, a := range sidecar.Annotations() {
		if !strings.Contains(help, "\n  "+a.Key+" ") {
			t.Errorf("--help does not tell of %s", a.Key)
		}
	}
}

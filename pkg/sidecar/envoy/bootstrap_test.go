package envoy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

func TestEveryProblemOfAConfigIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		config envoy.Config
		want   []string
	}{
		"nothing at all": {want: []string{"the port of the metrics is 0", "there is no upstream"}},
		"everything of an upstream": {
			config: config(envoy.Upstream{Name: "x", Retries: 11, HealthCheck: envoy.HealthCheck{Kind: "http"}}),
			want: []string{
				`"invalid AddrPort" is no address`, "does not end in a dot", "backend's port is 0", "0s is not between",
				`"" is none of the algorithms`, `"" is none of the protocols`, "11 retries", `"http" is none of the health checks`,
			},
		},
		"no name": {
			config: config(greeter(func(u *envoy.Upstream) { u.Name = "" })),
			want:   []string{`upstream "": it has no name`},
		},
		"a backend that the hosts file knows": {
			config: config(greeter(func(u *envoy.Upstream) { u.Members.Host = "greeter.shop.svc.cluster.local" })),
			want:   []string{"greeter.shop.svc.cluster.local\" does not end in a dot"},
		},
		"the root as backend": {
			config: config(greeter(func(u *envoy.Upstream) { u.Members.Host = "." })),
			want:   []string{`"." does not end in a dot`},
		},
		"a refresh that is too long": {
			config: config(greeter(func(u *envoy.Upstream) { u.Members.Refresh = 61 * time.Second })),
			want:   []string{"1m1s is not between 1s and 60s"},
		},
		"gRPC health checks of connections": {
			config: config(greeter(func(u *envoy.Upstream) { u.Protocol, u.HealthCheck.Kind = envoy.TCP, "grpc" })),
			want:   []string{"gRPC health checks need a protocol of http or auto, not tcp"},
		},
		"names that are not printable": {
			config: config(greeter(func(u *envoy.Upstream) {
				u.Name = "greeter\xff"
				u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: "a\u0085b"}
			})),
			want: []string{"its name or its backend's", `the service "a\u0085b" of its health check`},
		},
		"two at one address": {
			config: config(greeter(), greeter(func(u *envoy.Upstream) { u.Name = "other.shop:9000" })),
			want:   []string{`upstream "other.shop:9000": another one listens at 127.0.0.2:9000`},
		},
		"two of one name": {
			config: config(greeter(), greeter(func(u *envoy.Upstream) { u.Listen = netip.MustParseAddrPort("127.0.0.3:9000") })),
			want:   []string{`upstream "greeter.shop:9000": another one has the same name in statistics`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := envoy.Bootstrap(tc.config)
			if err == nil || b != nil {
				t.Fatalf("got a bootstrap %v and error %v, want an error alone", b != nil, err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tc.want) {
				t.Errorf("got %d problems, want %d:\n%v", got, len(tc.want), err)
			}
		})
	}
}

// many are n upstreams with long names.
func many(n int, p envoy.Protocol) envoy.Config {
	var c envoy.Config
	c.MetricsPort = 15902
	for i := range n {
		c.Upstreams = append(c.Upstreams, greeter(func(u *envoy.Upstream) {
			u.Name = fmt.Sprintf("recommendations-%02d.production:9000", i)
			u.Members.Host = fmt.Sprintf("recommendations-%02d.production.svc.cluster.local.", i)
			u.Listen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}), 9000)
			u.Protocol = p
		}))
	}
	return c
}

func argument(t *testing.T, c envoy.Config) string {
	t.Helper()
	b, err := envoy.Bootstrap(c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := envoy.Argument(b)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAnArgumentSaysWhatTheJSONSays(t *testing.T) {
	configs := bootstraps()
	configs["ten upstreams"] = many(10, envoy.Auto)
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			b, err := envoy.Bootstrap(c)
			if err != nil {
				t.Fatal(err)
			}
			text, err := envoy.JSON(b)
			if err != nil {
				t.Fatal(err)
			}
			var want, got any
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(strings.ReplaceAll(argument(t, c), "$$", "$")), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the argument says something else (-JSON +argument):\n%s", diff)
			}
		})
	}
}

func TestABootstrapIsWrittenInOneWay(t *testing.T) {
	first := argument(t, many(3, envoy.Auto))
	for range 20 {
		if again := argument(t, many(3, envoy.Auto)); again != first {
			t.Fatalf("the same bootstrap, written differently:\n%s\n%s", first, again)
		}
	}
}

// The kubelet turns "$$" into "$" and expands nothing but $(POD_IP).
func TestOnlyThePodsAddressIsExpanded(t *testing.T) {
	text := argument(t, config(greeter(func(u *envoy.Upstream) {
		u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: `$(POD_IP) $(HOME) $$ "address":"$(POD_IP)"`}
	})))
	if got := strings.Count(strings.ReplaceAll(text, "$$", ""), "$(POD_IP)"); got != 1 {
		t.Errorf("the Pod's address is expanded %d times, want 1:\n%s", got, text)
	}
	want := `"service_name":"$$(POD_IP) $$(HOME) $$$$ \"address\":\"$$(POD_IP)\""`
	if !strings.Contains(text, want) {
		t.Errorf("the service is not written as %s:\n%s", want, text)
	}
}

func TestFiftyUpstreamsFitIntoAnArgument(t *testing.T) {
	for _, p := range []envoy.Protocol{envoy.Auto, envoy.HTTP, envoy.TCP} {
		for _, n := range []int{1, 10, 50} {
			t.Logf("%2d upstreams, protocol %-4s: %6d bytes", n, p, len(argument(t, many(n, p))))
		}
	}
}

func TestAnArgumentThatLinuxWouldRefuseIsAnError(t *testing.T) {
	b, err := envoy.Bootstrap(many(100, envoy.Auto))
	if err != nil {
		t.Fatal(err)
	}
	_, err = envoy.Argument(b)
	if !errors.Is(err, envoy.ErrTooLong) || !strings.Contains(err.Error(), "the configuration of 100 upstreams takes") {
		t.Errorf("got %v, want an error that names the size", err)
	}
}

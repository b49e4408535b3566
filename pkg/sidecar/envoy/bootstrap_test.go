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
				"its name does not end in a port", `"invalid AddrPort" is no address`, "does not end in a dot", "backend's port is 0", "0s is not between",
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
				u.Name = "greeter\xff:9000"
				u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: "a\u0085b"}
			})),
			want: []string{"its name or its backend's", `the service "a\u0085b" of its health check`},
		},
		"a resource without a discovery": {
			config: config(greeter(discovered)),
			want:   []string{"there is no discovery to ask for it"},
		},
		"a resource of another form": {
			config: withDiscovery(t, greeter(func(u *envoy.Upstream) { u.Members.Resource = "greeter.shop:9000" })),
			want:   []string{`its resource: "greeter.shop:9000" is not of the form namespace/service:port`},
		},
		"a variable in a resource that is not the zone": {
			config: withDiscovery(t, greeter(func(u *envoy.Upstream) { u.Members.Resource = "shop/greeter:9000@$(POD_IP)" })),
			want:   []string{`the zone "$(POD_IP)" is no value of a label`},
		},
		"a discovery that is not known": {
			config: func() envoy.Config {
				c := withDiscovery(t, greeter(discovered))
				c.Discovery = &envoy.Discovery{}
				return c
			}(),
			want: []string{
				"does not end in a dot", "its port is 0", `the name "" that its certificate`, "0s between health checks",
				"its CA is not known",
			},
		},
		"a key beside the CA": {
			config: withCA(t, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"),
			want:   []string{`its CA holds a "PRIVATE KEY" where only certificates belong`},
		},
		"a CA that is none": {
			config: withCA(t, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"),
			want:   []string{"its CA holds what is no certificate"},
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

// withCA is a Config whose discovery has this CA.
func withCA(t *testing.T, ca string) envoy.Config {
	t.Helper()
	c := withDiscovery(t, greeter(discovered))
	c.Discovery.CA = ca
	return c
}

// What stands around the certificates of a CA does not reach Envoy, and neither
// does what the kubelet would expand there.
func TestOnlyTheCertificatesOfACAArePassedOn(t *testing.T) {
	c := withDiscovery(t, greeter(discovered))
	plain := argument(t, c)
	c.Discovery.CA = "subject=$(POD_IP)\n" + c.Discovery.CA + "\n# the end\n"
	if commented := argument(t, c); commented != plain {
		t.Errorf("comments in the CA change the configuration:\n%s\n%s", plain, commented)
	}
	if c.Discovery.CA += c.Discovery.CA; strings.Count(argument(t, c), "BEGIN CERTIFICATE") != 2 {
		t.Error("of a CA with two certificates, as in a rotation, both have to be trusted")
	}
}

// many are n upstreams with long names.
func many(t *testing.T, n int, p envoy.Protocol, isDiscovered bool) envoy.Config {
	t.Helper()
	c := config()
	if isDiscovered {
		c = withDiscovery(t)
	}
	for i := range n {
		c.Upstreams = append(c.Upstreams, greeter(func(u *envoy.Upstream) {
			u.Name = fmt.Sprintf("recommendations-%02d.production:9000", i)
			u.Members.Host = fmt.Sprintf("recommendations-%02d.production.svc.cluster.local.", i)
			u.Listen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}), 9000)
			u.Protocol = p
			if isDiscovered {
				u.Members.Resource = fmt.Sprintf("production/recommendations-%02d:9000@%s", i, envoy.NodeZone)
			}
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
	configs := bootstraps(t)
	configs["ten upstreams"] = many(t, 10, envoy.Auto, false)
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
	first := argument(t, many(t, 3, envoy.Auto, true))
	for range 20 {
		if again := argument(t, many(t, 3, envoy.Auto, true)); again != first {
			t.Fatalf("the same bootstrap, written differently:\n%s\n%s", first, again)
		}
	}
}

// The kubelet turns "$$" into "$" and expands nothing but $(POD_IP) and, behind the
// names of resources, $(NODE_ZONE).
func TestOnlyThePodsAddressAndZoneAreExpanded(t *testing.T) {
	text := argument(t, withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) {
		u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: `$(POD_IP) $(HOME) $$ "address":"$(POD_IP)" shop/greeter:9000@$(NODE_ZONE)`}
	})))
	for variable, want := range map[string]int{"$(POD_IP)": 1, "$(NODE_ZONE)": 1} {
		if got := strings.Count(strings.ReplaceAll(text, "$$", ""), variable); got != want {
			t.Errorf("%s is expanded %d times, want %d:\n%s", variable, got, want, text)
		}
	}
	want := `"service_name":"$$(POD_IP) $$(HOME) $$$$ \"address\":\"$$(POD_IP)\" shop/greeter:9000@$$(NODE_ZONE)"`
	if !strings.Contains(text, want) {
		t.Errorf("the service is not written as %s:\n%s", want, text)
	}
	if text = argument(t, withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) {
		u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: u.Members.Resource}
	}))); !strings.Contains(text, `"service_name":"shop/greeter:9000@$$(NODE_ZONE)"`) {
		t.Errorf("a health check's service that looks like a resource is expanded:\n%s", text)
	}
}

func TestFiftyUpstreamsFitIntoAnArgument(t *testing.T) {
	for _, p := range []envoy.Protocol{envoy.Auto, envoy.HTTP, envoy.TCP} {
		for _, n := range []int{1, 10, 50} {
			t.Logf("%2d upstreams, protocol %-4s: %6d bytes", n, p, len(argument(t, many(t, n, p, false))))
		}
	}
}

// With discovery an upstream is three clusters, or six with protocol auto.
func TestWithDiscoveryThirtyUpstreamsFitIntoAnArgument(t *testing.T) {
	for _, tc := range []struct {
		protocol envoy.Protocol
		most     int
	}{{envoy.Auto, 30}, {envoy.HTTP, 50}, {envoy.TCP, 70}} {
		for _, n := range []int{1, 10, tc.most} {
			t.Logf("%2d upstreams with discovery, protocol %-4s: %6d bytes", n, tc.protocol, len(argument(t, many(t, n, tc.protocol, true))))
		}
	}
	b, err := envoy.Bootstrap(many(t, 50, envoy.Auto, true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envoy.Argument(b); !errors.Is(err, envoy.ErrTooLong) {
		t.Errorf("fifty with protocol auto: got %v, want one that is too long", err)
	}
}

// The longest zone must not make an argument too long that the webhook let pass.
func TestTheZoneIsCountedBeforeItIsKnown(t *testing.T) {
	const limit, zone = 32*4096 - 1, 63
	longest := 0
	for n := 52; ; n++ {
		b, err := envoy.Bootstrap(many(t, n, envoy.HTTP, true))
		if err != nil {
			t.Fatal(err)
		}
		text, err := envoy.Argument(b)
		if errors.Is(err, envoy.ErrTooLong) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		longest = len(strings.ReplaceAll(text, envoy.NodeZone, strings.Repeat("z", zone)))
	}
	if longest >= limit || longest < limit-5000 {
		t.Errorf("the longest argument has %d bytes in the Pod, want a little less than %d", longest, limit)
	}
}

func TestAnArgumentThatLinuxWouldRefuseIsAnError(t *testing.T) {
	b, err := envoy.Bootstrap(many(t, 100, envoy.Auto, false))
	if err != nil {
		t.Fatal(err)
	}
	_, err = envoy.Argument(b)
	if !errors.Is(err, envoy.ErrTooLong) || !strings.Contains(err.Error(), "the configuration of 100 upstreams takes") {
		t.Errorf("got %v, want an error that names the size", err)
	}
}

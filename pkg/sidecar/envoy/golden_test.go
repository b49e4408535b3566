package envoy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

var update = flag.Bool("update", false, "write testdata as the bootstraps now are")

// greeter is an upstream with every default.
func greeter(changes ...func(*envoy.Upstream)) envoy.Upstream {
	u := envoy.Upstream{
		Name:      "greeter.shop:9000",
		Listen:    netip.MustParseAddrPort("127.0.0.2:9000"),
		Members:   envoy.Members{Host: "greeter.shop.svc.cluster.local.", Port: 9000, Refresh: 5 * time.Second},
		Algorithm: envoy.LeastRequest,
		Protocol:  envoy.Auto,
		Retries:   5,
	}
	for _, change := range changes {
		change(&u)
	}
	return u
}

func config(upstreams ...envoy.Upstream) envoy.Config {
	return envoy.Config{Upstreams: upstreams, MetricsPort: 15902}
}

// discovered has the members of an upstream told by discovery.
func discovered(u *envoy.Upstream) {
	u.Members.Resource = "shop/greeter:9000@" + envoy.NodeZone
}

// withDiscovery is a Config with discovery.
func withDiscovery(t *testing.T, upstreams ...envoy.Upstream) envoy.Config {
	t.Helper()
	ca, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	c := config(upstreams...)
	c.Discovery = &envoy.Discovery{
		Host: "probeshift-discovery.probeshift.svc.cluster.local.", Port: 18000,
		ServerName: "probeshift-discovery.probeshift.svc", CA: string(ca), CheckInterval: 5 * time.Second,
	}
	return c
}

// bootstraps are the cases of testdata; each is a file there.
func bootstraps(t *testing.T) map[string]envoy.Config {
	ledger := greeter(func(u *envoy.Upstream) {
		u.Name = "ledger.bank:5432"
		u.Listen = netip.MustParseAddrPort("127.0.0.3:5432")
		u.Members.Host, u.Members.Port = "ledger.bank.svc.cluster.local.", 5432
		u.Protocol = envoy.TCP
	})
	discoveredLedger := ledger
	discoveredLedger.Members.Resource = "bank/ledger:5432@" + envoy.NodeZone
	ipv6 := config(greeter(func(u *envoy.Upstream) { u.Listen = netip.MustParseAddrPort("[::1]:9000") }))
	ipv6.IPv6 = true
	discoveredIPv6 := withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) { u.Listen = ipv6.Upstreams[0].Listen }))
	discoveredIPv6.IPv6 = true
	rarely := withDiscovery(t, greeter(discovered))
	rarely.Discovery.CheckInterval = time.Minute
	return map[string]envoy.Config{
		"discovery":                                   withDiscovery(t, greeter(discovered)),
		"discovery-of-http":                           withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) { u.Protocol = envoy.HTTP })),
		"discovery-of-tcp":                            withDiscovery(t, discoveredLedger),
		"discovery-of-one-beside-one-by-dns":          withDiscovery(t, greeter(discovered), ledger),
		"discovery-of-two":                            withDiscovery(t, greeter(discovered), discoveredLedger),
		"discovery-with-ipv6-alone":                   discoveredIPv6,
		"discovery-with-health-checks-once-a-minute":  rarely,
		"discovery-without-health-checks":             withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) { u.HealthCheck.Kind = "none" })),
		"discovery-with-grpc-health-checks":           withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) { u.HealthCheck.Kind = "grpc" })),
		"discovery-with-tcp-health-checks-by-request": withDiscovery(t, greeter(discovered, func(u *envoy.Upstream) { u.HealthCheck.Kind = "tcp" })),
		"every-default":                               config(greeter()),
		"http-is-never-passed-through":                config(greeter(func(u *envoy.Upstream) { u.Protocol = envoy.HTTP })),
		"tcp-is-not-inspected":                        config(ledger),
		"two-upstreams":                               config(greeter(), ledger),
		"ipv6-alone":                                  ipv6,
		"another-algorithm-no-retries-another-refresh": config(greeter(func(u *envoy.Upstream) {
			u.Algorithm, u.Retries, u.Members.Refresh = envoy.RoundRobin, 0, time.Minute
		})),
		"random-hosts-the-shortest-refresh": config(greeter(func(u *envoy.Upstream) {
			u.Algorithm, u.Retries, u.Members.Refresh = envoy.Random, 10, time.Second
		})),
		"grpc-health-checks-of-a-service": config(greeter(func(u *envoy.Upstream) {
			u.HealthCheck = envoy.HealthCheck{Kind: "grpc", Service: "shop.Greeter"}
		})),
		"tcp-health-checks-of-requests-alone": config(greeter(func(u *envoy.Upstream) {
			u.HealthCheck.Kind = "tcp"
		})),
		"tcp-health-checks-of-connections": config(greeter(func(u *envoy.Upstream) {
			u.Protocol, u.HealthCheck.Kind = envoy.TCP, "tcp"
		})),
	}
}

func TestBootstrapsAreAsInTestdata(t *testing.T) {
	for name, c := range bootstraps(t) {
		t.Run(name, func(t *testing.T) {
			b, err := envoy.Bootstrap(c)
			if err != nil {
				t.Fatal(err)
			}
			text, err := envoy.JSON(b)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, []byte(text), "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("the bootstrap is not as in %s any more (refresh with -update) (-want +got):\n%s", file, diff)
			}
		})
	}
}

func TestEveryFileOfTestdataHasACase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := bootstraps(t)
	for _, file := range files {
		name := filepath.Base(file)
		if _, ok := cases[name[:len(name)-len(".json")]]; !ok {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

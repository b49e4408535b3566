package sidecar

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNamesAreReadAsThePodsResolverWould(t *testing.T) {
	for written, want := range map[string]struct {
		full  string
		forms []string
	}{
		"greeter":                            {"greeter.shop.svc.cluster.local", []string{"greeter", "greeter.shop", "greeter.shop.svc", "greeter.shop.svc.cluster.local"}},
		"greeter.shop":                       {"greeter.shop.svc.cluster.local", []string{"greeter", "greeter.shop", "greeter.shop.svc", "greeter.shop.svc.cluster.local"}},
		"greeter.hall":                       {"greeter.hall.svc.cluster.local", []string{"greeter.hall", "greeter.hall.svc", "greeter.hall.svc.cluster.local"}},
		"greeter.hall.svc":                   {"greeter.hall.svc.cluster.local", []string{"greeter.hall", "greeter.hall.svc", "greeter.hall.svc.cluster.local"}},
		"greeter.hall.svc.cluster.local":     {"greeter.hall.svc.cluster.local", []string{"greeter.hall", "greeter.hall.svc", "greeter.hall.svc.cluster.local"}},
		"greeter.hall.svc.cluster.local.":    {"greeter.hall.svc.cluster.local", []string{"greeter.hall", "greeter.hall.svc", "greeter.hall.svc.cluster.local"}},
		"greeter.shop.":                      {"greeter.shop", []string{"greeter.shop"}},
		"greeter.hall.com":                   {"greeter.hall.com", []string{"greeter.hall.com"}},
		"pod.greeter.hall.svc.cluster.local": {"pod.greeter.hall.svc.cluster.local", []string{"pod.greeter.hall.svc.cluster.local"}},
		"com.":                               {"com", []string{"com"}},
	} {
		n, problem := readName(written, "shop", "cluster.local")
		if problem != "" {
			t.Errorf("%s: %s", written, problem)
		}
		if diff := cmp.Diff(want.full, n.full) + cmp.Diff(want.forms, n.forms("shop")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", written, diff)
		}
	}
}

func TestWhatIsNoNameIsSaid(t *testing.T) {
	for written, want := range map[string]string{
		"":                      "is no DNS name",
		"Greeter":               "is no DNS name",
		"greeter_headless":      "is no DNS name",
		"a..b":                  "is no DNS name",
		"*.example.com":         "is no DNS name",
		"10.0.0.1":              "is an address",
		"10.0.0.1.":             "is an address",
		"fd00::1":               "is an address",
		"localhost":             "is the Pod itself",
		strings.Repeat("a", 64): "more than 63 characters",
		strings.Repeat("a.b.", 60) + "c.d.e.f.g.h.i.j": "is no DNS name",
	} {
		if _, problem := readName(written, "shop", "cluster.local"); !strings.Contains(problem, want) {
			t.Errorf("%q: problem %q, want %q", written, problem, want)
		}
	}
}

func TestANameTooLongWithTheDomainIsSaid(t *testing.T) {
	domain := strings.Repeat("long.", 45) + "local"
	if _, problem := readName("greeter", "a-namespace-of-some-length", domain); !strings.Contains(problem, "longer than 253") {
		t.Errorf("problem %q", problem)
	}
}

package resource_test

import (
	"strings"
	"testing"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

func TestNamesAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]resource.Name{
		"shop/greeter:9000":        {Namespace: "shop", Service: "greeter", Port: 9000},
		"shop/greeter:9000@zone-a": {Namespace: "shop", Service: "greeter", Port: 9000, Zone: "zone-a"},
		"shop/greeter:65535@Z_1.a": {Namespace: "shop", Service: "greeter", Port: 65535, Zone: "Z_1.a"},
		"0/0:1":                    {Namespace: "0", Service: "0", Port: 1},
	} {
		got, err := resource.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("String() = %q, want %q", got, text)
		}
	}
}

func TestAMarkWithoutAZoneIsNoZone(t *testing.T) {
	got, err := resource.Parse("shop/greeter:9000@")
	if err != nil || got.String() != "shop/greeter:9000" {
		t.Errorf("Parse = %q, %v, want shop/greeter:9000", got, err)
	}
}

func TestTheLongestNameFits(t *testing.T) {
	label := strings.Repeat("a", 63)
	name := resource.Name{Namespace: label, Service: label, Port: 65535, Zone: label}
	if len(name.String()) > resource.MaxLength {
		t.Fatalf("%d bytes, more than MaxLength", len(name.String()))
	}
	if got, err := resource.Parse(name.String()); err != nil || got != name {
		t.Errorf("Parse = %+v, %v", got, err)
	}
}

func TestWhatIsNoNameIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":                        "",
		"everything":                     "*",
		"no namespace":                   "greeter:9000",
		"an empty namespace":             "/greeter:9000",
		"no port":                        "shop/greeter",
		"an empty port":                  "shop/greeter:",
		"port 0":                         "shop/greeter:0",
		"a port that is too large":       "shop/greeter:65536",
		"a port by its name":             "shop/greeter:grpc",
		"a port that begins with a zero": "shop/greeter:09000",
		"a port with a sign":             "shop/greeter:+9000",
		"a negative port":                "shop/greeter:-1",
		"a port with a space":            "shop/greeter: 9000",
		"capital letters":                "Shop/Greeter:9000",
		"a namespace that is too long":   strings.Repeat("a", 64) + "/greeter:9000",
		"two Services":                   "shop/greeter/ledger:9000",
		"a host's name":                  "shop/greeter.shop.svc:9000",
		"two zones":                      "shop/greeter:9000@a@b",
		"a variable that is left":        "shop/greeter:9000@$(ZONE)",
		"a zone that is too long":        "shop/greeter:9000@" + strings.Repeat("a", 64),
		"a zone in another place":        "shop@zone-a/greeter:9000",
		"more than is ever asked for":    "shop/greeter:9000@" + strings.Repeat("a", resource.MaxLength),
		"a line":                         "shop/greeter:9000\n",
	} {
		t.Run(what, func(t *testing.T) {
			if got, err := resource.Parse(text); err == nil {
				t.Errorf("Parse(%q) = %+v, want an error", text, got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "*", "shop/greeter:9000", "shop/greeter:9000@", "shop/greeter:9000@zone-a", "a/b:+1", "a/b:1@c@d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := resource.Parse(text)
		if err != nil {
			if name != (resource.Name{}) {
				t.Errorf("Parse(%q) = %+v beside an error", text, name)
			}
			return
		}
		if got := name.String(); got != strings.TrimSuffix(text, "@") {
			t.Errorf("Parse(%q).String() = %q", text, got)
		}
		if again, err := resource.Parse(name.String()); err != nil || again != name {
			t.Errorf("the second reading of %q is %+v, %v, want %+v", text, again, err, name)
		}
	})
}

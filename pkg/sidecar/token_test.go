package sidecar

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddressesAreWholeTokens(t *testing.T) {
	for text, want := range map[string][]string{
		"greeter:8080":                             {"greeter:8080"},
		"http://greeter:8080/v1?to=greeter:8080":   {"greeter:8080", "greeter:8080"},
		"dns:///greeter.shop:9000":                 {"greeter.shop:9000"},
		"--a=greeter:1,hello:2":                    {"greeter:1", "hello:2"},
		"user:secret@greeter:8080":                 {"greeter:8080"},
		"GREETER:8080":                             {"greeter:8080"},
		"mygreeter:8080":                           {"mygreeter:8080"},
		"my-greeter:8080 my.greeter:8080":          {"my-greeter:8080", "my.greeter:8080"},
		"greeter:8080.":                            {"greeter:8080"},
		"greeter:80801 greeter:808a greeter:8080-": nil,
		"greeter: :8080 greeter:x greeter:0":       nil,
		unknown + "greeter:8080":                   {unknown + "greeter:8080"},
		"greeter:8080" + unknown:                   nil,
		"greeter:08080":                            nil,
		"registry.example/greeter:1.4.0":           nil,
		"greeter:8080.. greeter:8080.x":            {"greeter:8080"},
	} {
		var got []string
		for _, found := range tokens(text) {
			got = append(got, fmt.Sprintf("%s:%d", found.host, found.port))
		}
		if diff := cmp.Diff(strings.Join(want, " "), strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestTextsAreExpandedAsTheKubeletDoes(t *testing.T) {
	known := map[string]string{"HOST": "greeter", "EMPTY": "", "DOLLAR": "$(HOST)"}
	for text, want := range map[string]string{
		"":                      "",
		"$":                     "$",
		"a$":                    "a$",
		"$(HOST):80":            "greeter:80",
		"$$(HOST)":              "$(HOST)",
		"$$$(HOST)":             "$greeter",
		"$(DOLLAR)":             "$(HOST)",
		"a$(EMPTY)b":            "ab",
		"$(NOBODY)":             unknown,
		"$(open":                "$(open",
		"$HOST ${HOST} $(HOST)": "$HOST ${HOST} greeter",
	} {
		if got := expand(cut(text, known)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestOnlyWhatIsEditedChanges(t *testing.T) {
	known := map[string]string{"HOST": "greeter", "PORT": "8080", "TAIL": ":8080/$x", "ADDR": "greeter:8080"}
	for text, want := range map[string]string{
		"$(HOST):8080":                "$(HOST):25000",
		"$(HOST):$(PORT)":             "$(HOST):25000",
		"$(HOST)$(TAIL)":              "$(HOST):25000/$$x",
		"$$ $(ADDR) greeter:8080 $$":  "$$ $(ADDR) greeter:25000 $$",
		"greeter:8080,greeter:80$(Z)": "greeter:25000,greeter:80$(Z)",
		"$(PORT)$(PORT)":              "$(PORT)$(PORT)",
	} {
		pieces := cut(text, known)
		var edits []edit
		for _, found := range tokens(expand(pieces)) {
			if found.host == "greeter" && !inOneReference(pieces, ends(pieces), found) {
				edits = append(edits, edit{found.colon + 1, found.end, "25000"})
			}
		}
		if got := apply(pieces, edits); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzTexts holds editing against editing the expanded text: to the kubelet both
// must be the same.
func FuzzTexts(f *testing.F) {
	f.Add("http://$(HOST):8080/$$", "greeter", "8080")
	f.Add("$(HOST)$(PORT)greeter:8080", "greeter:", "$(")
	f.Add("greeter:8080$$greeter:8080", "", "")
	f.Fuzz(func(t *testing.T, text, host, port string) {
		known := map[string]string{"HOST": host, "PORT": port}
		pieces := cut(text, known)
		before := expand(pieces)
		if got := apply(pieces, nil); got != text {
			t.Fatalf("%q without edits: %q", text, got)
		}
		if strings.Contains(before, unknown) { // written out, it is no reference any more
			return
		}
		var edits []edit
		var want strings.Builder
		last := 0
		for _, found := range tokens(before) {
			edits = append(edits, edit{found.colon + 1, found.end, "25000"})
			want.WriteString(before[last:found.colon+1] + "25000")
			last = found.end
		}
		want.WriteString(before[last:])
		edited := apply(pieces, edits)
		if got := expand(cut(edited, known)); got != want.String() {
			t.Fatalf("%q: %q is expanded to %q, want %q", text, edited, got, want.String())
		}
	})
}

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnImageOfOnesOwnTakesTheirPlace(t *testing.T) {
	for reference, want := range map[string]map[string]string{
		"registry.example/webhook":                {"newName": "registry.example/webhook"},
		"registry.example/webhook:v1":             {"newName": "registry.example/webhook", "newTag": "v1"},
		"registry.example:5000/webhook":           {"newName": "registry.example:5000/webhook"},
		"registry.example:5000/webhook:v1":        {"newName": "registry.example:5000/webhook", "newTag": "v1"},
		"registry.example:5000/webhook@sha256:00": {"newName": "registry.example:5000/webhook", "digest": "sha256:00"},
	} {
		t.Run(reference, func(t *testing.T) {
			want["name"] = imageName
			if diff := cmp.Diff(want, image(reference)); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACommandIsShownAsOneWouldTypeIt(t *testing.T) {
	for argument, want := range map[string]string{
		"deploy/webhook":      "deploy/webhook",
		"":                    "''",
		`jsonpath={.a}{"\n"}`: `'jsonpath={.a}{"\n"}'`,
		"it's":                `'it'\''s'`,
	} {
		if got := quote(argument); got != want {
			t.Errorf("%q is shown as %s, not %s", argument, got, want)
		}
	}
}

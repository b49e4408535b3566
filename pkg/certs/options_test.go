package certs

import (
	"strings"
	"testing"
	"time"
)

func TestTheDefaultOptionsAreValid(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
}

func TestInvalidOptionsAreAllNamed(t *testing.T) {
	o := DefaultOptions()
	o.Secret = "Not_A_Name"
	o.ExtraNames = []string{"ok.example", "127.0.0.1", "not ok"}
	o.CALife = time.Hour
	err := o.Validate()
	if err == nil {
		t.Fatal("they are valid")
	}
	for _, want := range []string{`--cert-secret="Not_A_Name"`, `--extra-names="not ok"`, "--ca-life=1h0m0s: write at least 504h45m0s"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestTheNameThatAPIServersUseComesFirst(t *testing.T) {
	if got := DefaultOptions().names()[0]; got != "probeshift-webhook.probeshift.svc" {
		t.Errorf("got %s", got)
	}
}

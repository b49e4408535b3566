package certs

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTheDefaultOptionsAreValid(t *testing.T) {
	for _, o := range []Options{DefaultOptions(), DefaultDiscoveryOptions()} {
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
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

func TestInvalidOptionsOfDiscoveryAreNamedByItsFlags(t *testing.T) {
	o := DefaultDiscoveryOptions()
	o.Secret, o.Service, o.ConfigMap = "A", "B", ""
	o.CALife, o.LeafLife, o.Settle, o.Overlap = year, 0, -1, -1
	long := DefaultDiscoveryOptions()
	long.CALife = 3 * year
	text := errors.Join(o.Validate(), long.Validate()).Error()
	for _, want := range []string{
		`--discovery-secret="A"`, `--discovery-service="B"`, `--discovery-configmap=""`,
		"--discovery-settle-time and --discovery-retire-margin must not be negative",
		"--discovery-overlap=-1ns must not be negative", "--discovery-leaf-life=0s: write a positive duration",
		"--discovery-ca-life=26280h0m0s: write at least 26784h45m0s, three times the leaf life, the settle time and the overlap",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not name %s", text, want)
		}
	}
}

func TestTheNameThatClientsUseComesFirst(t *testing.T) {
	for o, want := range map[*Options]string{
		{Service: "a", Namespace: "b"}:                  "a.b.svc",
		{Kind: Discovery, Service: "c", Namespace: "d"}: "c.d.svc",
	} {
		if got := o.names()[0]; got != want || o.Host() != want {
			t.Errorf("got %s and %s, want %s", got, o.Host(), want)
		}
	}
}

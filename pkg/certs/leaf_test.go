package certs

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestALeafIsAcceptedForTheServiceByWhoTrustsItsCA(t *testing.T) {
	keys, authority := testKeyring(), mint(t, at(0))
	leaf, err := keys.sign(at(0), authority, 7*day)
	if err != nil {
		t.Fatal(err)
	}
	bundle := ParseBundle(encodeCertificates(authority.Certificate))
	other := ParseBundle(encodeCertificates(mint(t, at(0)).Certificate))
	for sentence, test := range map[string]struct {
		now      Now
		bundle   Bundle
		host     string
		accepted bool
	}{
		"at once":                       {at(0), bundle, "probeshift-webhook.probeshift.svc", true},
		"by an address":                 {at(0), bundle, "127.0.0.1", true},
		"on a clock that is behind":     {at(-23 * time.Hour), bundle, "127.0.0.1", true},
		"until its end":                 {at(7*day - time.Second), bundle, "127.0.0.1", true},
		"not after its end":             {at(7*day + time.Second), bundle, "127.0.0.1", false},
		"not for another name":          {at(0), bundle, "example.com", false},
		"not by who trusts another CA":  {at(0), other, "127.0.0.1", false},
		"not by who trusts nothing yet": {at(0), Bundle{}, "127.0.0.1", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := keys.verify(test.now, leaf, test.bundle, test.host)
			if (err == nil) != test.accepted {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

func TestWhatACAMayDo(t *testing.T) {
	parsed, err := x509.ParseCertificate(mint(t, at(0)).DER)
	if err != nil {
		t.Fatal(err)
	}
	if !parsed.IsCA || parsed.MaxPathLen != 0 || !parsed.MaxPathLenZero {
		t.Error("it must be a CA of path length zero")
	}
	if got := parsed.NotAfter.Sub(parsed.NotBefore); got != 91*day {
		t.Errorf("it is valid for %s, want its life and a day", got)
	}
	if parsed.PublicKeyAlgorithm != x509.ECDSA || parsed.SerialNumber.BitLen() < 96 {
		t.Errorf("key %s, serial of %d bits", parsed.PublicKeyAlgorithm, parsed.SerialNumber.BitLen())
	}
}

func TestALeafEndsWithItsCA(t *testing.T) {
	authority := mint(t, at(0))
	leaf, err := testKeyring().sign(at(88*day), authority, 7*day)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.NotAfter.Equal(authority.NotAfter) {
		t.Errorf("it ends at %s, its CA at %s", leaf.NotAfter, authority.NotAfter)
	}
}

func TestALeafIsRenewedAtTwoThirdsOrALittleEarlier(t *testing.T) {
	leaf := &Leaf{IssuedAt: simOrigin, NotAfter: simOrigin.Add(30 * day)}
	if got := leaf.renewAt(0).Sub(simOrigin); got != 20*day {
		t.Errorf("without jitter after %s", got)
	}
	if got := leaf.renewAt(1).Sub(simOrigin); got != 17*day {
		t.Errorf("with all jitter after %s", got)
	}
}

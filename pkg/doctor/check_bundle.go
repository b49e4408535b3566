package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

/*
The caBundle is what API servers trust the webhook by. One certificate in it that
does not parse makes every call fail.
*/

func checkBundle(f *Facts) Result {
	r := newResult("ca-bundle", "caBundle of the configuration's entries")
	c := f.configuration()
	if c == nil {
		r.unknown("There is no configuration to look at.", applyManifests)
		return r
	}
	const wait = "The webhook writes the caBundle within moments of its start; look at its readiness: kubectl -n NAMESPACE describe pods"
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		if len(w.ClientConfig.CABundle) == 0 {
			r.fail("The entry "+w.Name+" has no caBundle, so that no API server trusts the webhook.",
				strings.Replace(wait, "NAMESPACE", serviceNamespace(f), 1))
			continue
		}
		valid, until, err := readBundle(w.ClientConfig.CABundle, f.Now)
		switch {
		case err != nil:
			r.fail(fmt.Sprintf("The caBundle of %s does not parse, so that every call fails: %v.", w.Name, err),
				"Remove the field; the webhook writes it anew.")
		case valid == 0:
			r.fail("Every certificate in the caBundle of "+w.Name+" has expired or is not valid yet.",
				"Look at the clocks of the nodes and at the webhook's log.")
		default:
			r.note(fmt.Sprintf("%s: %d valid, the last until %s.", w.Name, valid, until.UTC().Format(time.DateOnly)))
		}
	}
	return r
}

// readBundle counts the certificates that are valid now, and says until when
// the last of them is.
func readBundle(bundle []byte, now time.Time) (valid int, until time.Time, err error) {
	rest := bundle
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return 0, until, err
		}
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			continue
		}
		valid++
		if c.NotAfter.After(until) {
			until = c.NotAfter
		}
	}
	if left := strings.TrimSpace(string(rest)); left != "" {
		return 0, until, fmt.Errorf("%d bytes are no PEM", len(left))
	}
	return valid, until, nil
}

// serviceNamespace is the namespace that the configuration names.
func serviceNamespace(f *Facts) string {
	if c := f.configuration(); c != nil {
		for i := range c.Webhooks {
			if s := c.Webhooks[i].ClientConfig.Service; s != nil {
				return s.Namespace
			}
		}
	}
	return "probeshift"
}

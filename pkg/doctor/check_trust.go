package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"
)

/*
A sidecar carries the certificates by which it trusts discovery in its arguments,
as they were when its Pod was created. Discovery publishes what it serves by in a
ConfigMap, the next certificate long before it is used. A Pod that is older than
all of them works from DNS.
*/

// publishedKey is the ConfigMap's key.
const publishedKey = "ca.crt"

func checkTrust(f *Facts) Result {
	name := f.DiscoveryConfigMap()
	r := newResult("lb-trust", "the certificates in the arguments of sidecars, and in the ConfigMap "+name)
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	if f.Pods.Value.Followed().Discovery == "" && !f.discoveryOn() {
		r.unused("No sidecar follows EndpointSlices.")
		return r
	}
	if f.Discovery.CA.Err != nil {
		r.unread("the ConfigMap "+name, f.Discovery.CA.Err)
		return r
	}
	if f.Discovery.CA.Value == nil {
		r.fail("The ConfigMap "+name+" is not there, so that new sidecars work from DNS; discovery writes it as it starts.", "See the check lb-discovery, and discovery's log.")
		return r
	}
	published := validCertificates(f.Discovery.CA.Value.Data[publishedKey], f.Now)
	if len(published) == 0 {
		r.fail("The ConfigMap "+name+" holds no certificate that is valid now.", "Look at discovery's log; it writes the ConfigMap anew where it is deleted.")
		return r
	}
	trusted := 0
	for _, key := range f.Pods.Value.sortedBalanced() {
		b := f.Pods.Value.Balanced[key]
		switch {
		case b.Following == nil:
		case slices.ContainsFunc(validCertificates(b.Following.CA, f.Now), func(c *x509.Certificate) bool {
			return slices.ContainsFunc(published, c.Equal)
		}):
			trusted += b.Running
		default:
			r.fail(fmt.Sprintf("%s %s, %s: trusts none of discovery's certificates, and works from DNS.", key.Owner.Namespace, key.Owner, pods(b.Running)), rollOut(key.Owner))
		}
	}
	r.note("Discovery is trusted by " + pods(trusted) + ".")
	return r
}

// DiscoveryConfigMap is the name of the ConfigMap, as the webhook's arguments
// have it.
func (f *Facts) DiscoveryConfigMap() string {
	for _, d := range f.deployments() {
		if names := values(&d, "discovery-configmap"); len(names) > 0 {
			return names[0]
		}
	}
	return "probeshift-discovery-ca"
}

// validCertificates are those in PEM that are valid now; what does not parse is
// passed over, as it is by who trusts them.
func validCertificates(text string, now time.Time) []*x509.Certificate {
	var valid []*x509.Certificate
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return valid
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err == nil && !now.Before(c.NotBefore) && !now.After(c.NotAfter) {
			valid = append(valid, c)
		}
	}
}

package published

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/probeshift/probeshift/pkg/certs"
)

// certificate makes one, in PEM.
func certificate(t *testing.T, name string, isCA bool) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestWhatIsUsableOfTheConfigMap(t *testing.T) {
	one, two, leaf := certificate(t, "one", true), certificate(t, "two", true), certificate(t, "leaf", false)
	many := ""
	for range certs.MaxBundle + 1 {
		many += certificate(t, "one of many", true)
	}
	for sentence, test := range map[string]struct{ content, want, problem string }{
		"one CA":                               {one, one, ""},
		"several, in their order":              {two + one, two + one, ""},
		"one twice":                            {one + one, one, ""},
		"text around them is left out":         {"# one\n" + one + "\n\n" + two + "end", one + two, ""},
		"a key is left out":                    {one + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", one, ""},
		"half a certificate is left out":       {one + two[:200], one, ""},
		"a certificate that is no CA is left":  {one + leaf, one, ""},
		"nothing":                              {"", "", "the key is missing or empty"},
		"no PEM":                               {"x", "", "it holds no certificate of a CA"},
		"a certificate alone that is no CA":    {leaf, "", "it holds no certificate of a CA"},
		"more than discovery publishes itself": {many, "", "it holds 17 certificates, more than 16"},
	} {
		got, err := usable(test.content)
		if got != test.want {
			t.Errorf("%s: %q, want %q", sentence, got, test.want)
		}
		if (err != nil) != (test.problem != "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: error %v, want %q", sentence, err, test.problem)
		}
	}
}

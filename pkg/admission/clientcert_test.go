package admission

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClientCertificate(t *testing.T) {
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	tests := map[string]struct {
		state  *tls.ConnectionState
		status int
	}{
		"plain text is refused":            {nil, http.StatusForbidden},
		"no certificate is refused":        {&tls.ConnectionState{}, http.StatusForbidden},
		"a verified certificate is served": {verified, http.StatusOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(c *Config) { c.ClientCertificate = true })
			request := httptest.NewRequest(http.MethodPost, MutatePath, strings.NewReader(reviewOf(plainPod)))
			request.Header.Set("Content-Type", "application/json")
			request.TLS = test.state
			recorder := httptest.NewRecorder()
			f.ServeHTTP(recorder, request)
			if recorder.Code != test.status {
				t.Errorf("HTTP status %d, want %d: %s", recorder.Code, test.status, recorder.Body)
			}
		})
	}
}

package server

import (
	"fmt"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/probeshift/probeshift/pkg/admission"
)

/*
/healthz is up while the process is. /readyz says whether this replica can
serve, and if not, why: which file or object is at fault and what to do. The
manager's own endpoint withholds reasons, so its server is used with handlers
of ours.
*/

// healthTimeout bounds the reading of a request and the end of the server.
const healthTimeout = 5 * time.Second

// addHealth adds both endpoints.
func addHealth(m manager.Manager, config *Config, drain *admission.Drain, webhookServer webhook.Server) error {
	if config.HealthProbeBindAddress == "0" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/healthz", checks{})
	mux.Handle("/readyz", checks{
		{"certificate", func(*http.Request) error { return config.Certs.Ready() }},
		{"drain", drain.Check},
		{"listener", webhookServer.StartedChecker()},
	})
	timeout := healthTimeout
	return m.Add(&manager.Server{
		Name: "health",
		Server: &http.Server{
			Addr:              config.HealthProbeBindAddress,
			Handler:           mux,
			ReadHeaderTimeout: timeout,
		},
		ShutdownTimeout: &timeout,
	})
}

// checks answers with HTTP 200 when all pass, else with HTTP 503 and the first
// reason. They run in order, so that the listener is not dialled while there is
// no certificate to shake hands with.
type checks []struct {
	name string
	run  healthz.Checker
}

var _ http.Handler = checks{}

// ServeHTTP runs the checks.
func (c checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, check := range c {
		if err := check.run(r); err != nil {
			http.Error(w, fmt.Sprintf("%s: %v", check.name, err), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

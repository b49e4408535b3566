package server

import (
	"fmt"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
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
func addHealth(m manager.Manager, config *Config, ready checks) error {
	if config.HealthProbeBindAddress == "0" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/healthz", checks{})
	mux.Handle("/readyz", ready)
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
// reason. They run in order.
type checks []check

type check struct {
	name string
	run  healthz.Checker
}

var _ http.Handler = checks{}

// passing is a check that looks at no request.
func passing(ready func() error) healthz.Checker {
	return func(*http.Request) error { return ready() }
}

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

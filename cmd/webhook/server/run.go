package server

import (
	"fmt"
	"slices"
	"strings"
)

// What a process may run.
const (
	runAdmission = "admission"
	runDiscovery = "discovery"
)

// runs tells whether the process runs that.
func (o *Options) runs(what string) bool { return slices.Contains(strings.Split(o.Run, ","), what) }

func (o *Options) validateRun() []error {
	for what := range strings.SplitSeq(o.Run, ",") {
		if what != runAdmission && what != runDiscovery {
			return []error{fmt.Errorf("--run=%q is not known: use admission, discovery or admission,discovery", o.Run)}
		}
	}
	return nil
}

// logRun says what the process is.
func logRun(config *Config) {
	admission, discovery := config.Admission != nil, config.Discovery != nil
	switch {
	case admission && discovery:
		config.Log.Info("running admission and discovery in one process, which is for test clusters: load on one slows the other, " +
			"and a restart ends both; apply deploy/webhook/components/lb-discovery to run discovery by itself")
	case discovery:
		config.Log.Info("running discovery: sidecars get the endpoints of Services here; no Pod is reviewed")
	default:
		config.Log.Info("running admission")
	}
}

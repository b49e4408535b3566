// Package apiversion asks the API server for its release. One that is older than
// 1.29 drops what makes an init container a sidecar, without a word.
package apiversion

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
)

const (
	// period is the time between two questions, and retry the time after one
	// that failed. A control plane that is upgraded, or rolled back, is noticed.
	period = 10 * time.Minute
	retry  = 5 * time.Second
)

// Server tells its version. The discovery client of client-go is one; the rights
// of every authenticated user are enough (system:public-info-viewer).
type Server interface {
	ServerVersion() (*apiversion.Info, error)
}

// Version asks at start and every ten minutes.
type Version struct {
	server Server
	log    logr.Logger
	last   atomic.Pointer[version.Version]
}

// New returns a Version that is not known yet.
func New(server Server, log logr.Logger) *Version { return &Version{server: server, log: log} }

// Known is the release as of the last answer, nil before the first one.
func (v *Version) Known() *version.Version { return v.last.Load() }

// Start asks until ctx ends. It returns no error: a release that is not known
// refuses no Pod.
func (v *Version) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(v.next(v.ask()))
	}
}

// ask asks once.
func (v *Version) ask() error {
	info, err := v.server.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask the API server for its release: %w", err)
	}
	release, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("read the release %q of the API server: %w", info.GitVersion, err)
	}
	if before := v.last.Swap(release); before == nil || !before.EqualTo(release) {
		v.log.Info("release of the API server", "release", release.String())
	}
	return nil
}

// next is the time to the next question.
func (v *Version) next(err error) time.Duration {
	if err != nil {
		v.log.Error(err, "the release of the API server is not known: Pods get sidecars even if it is older than 1.29")
		return retry
	}
	return period
}

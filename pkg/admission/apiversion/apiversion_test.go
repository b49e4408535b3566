package apiversion

import (
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiversion "k8s.io/apimachinery/pkg/version"
)

// server answers with a release, or with an error where it is empty.
type server string

func (s server) ServerVersion() (*apiversion.Info, error) {
	if s == "" {
		return nil, errors.New("connection refused")
	}
	return &apiversion.Info{GitVersion: string(s)}, nil
}

func TestTheReleaseIsThatOfTheLastAnswer(t *testing.T) {
	v := New(server(""), logr.Discard())
	for _, step := range []struct {
		server server
		want   string
		next   time.Duration
	}{
		{"", "", retry},
		{"v1.28.9-gke.1289000", "1.28.9", period},
		{"", "1.28.9", retry},
		{"not a release", "1.28.9", retry},
		{"v1.37.0", "1.37.0", period},
	} {
		v.server = step.server
		next := v.next(v.ask())
		got := ""
		if known := v.Known(); known != nil {
			got = known.String()
		}
		if got != step.want || next != step.next {
			t.Errorf("after %q: release %q, next question in %s", step.server, got, next)
		}
	}
}

package exit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
)

func TestTheCodeFollowsFromTheError(t *testing.T) {
	found := exit.Finding("2 probes would be rewritten")
	for name, tc := range map[string]struct {
		err  error
		code int
	}{
		"no error":                       {nil, 0},
		"any error":                      {errors.New("no such file"), 1},
		"something was found":            {found, 2},
		"something was found, wrapped":   {fmt.Errorf("audit: %w", found), 2},
		"an error beside what was found": {errors.Join(errors.New("unreadable file"), found), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exit.Code(tc.err); got != tc.code {
				t.Errorf("code %d, want %d", got, tc.code)
			}
		})
	}
}

package life

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spoiled holds the requests of a whole life against rights that are not those
// they were made under, so that each way to be wrong is seen to be found.
func spoiled(t *testing.T, rights []right, requests []request) {
	t.Helper()
	update := right{ownNamespace, "", "secrets", secretName, "update"}
	for sentence, tc := range map[string]struct {
		rights   []right
		requests []request
		want     verdict
	}{
		"a verb too many is unused": {
			with(rights, right{ownNamespace, "", "secrets", secretName, "patch"}), requests,
			verdict{Unused: []string{"patch secrets/probeshift-ca in probeshift"}},
		},
		"a resource too many is unused": {
			with(rights, right{"", "", "namespaces", "", "get"}), requests,
			verdict{Unused: []string{"get namespaces"}},
		},
		"an object too many is unused": {
			with(rights, right{ownNamespace, "", "secrets", "another", "update"}), requests,
			verdict{Unused: []string{"update secrets/another in probeshift"}},
		},
		"of a right that is given twice, wider the second time, neither is needed": {
			with(rights, right{"", "", "secrets", "", "update"}), requests,
			verdict{Unused: []string{"update secrets", "update secrets/probeshift-ca in probeshift"}},
		},
		"a star is no right": {
			with(without(rights, update), right{ownNamespace, "", "secrets", secretName, "*"}), requests,
			verdict{
				Unused:  []string{"* secrets/probeshift-ca in probeshift"},
				Refused: []string{"update secrets/probeshift-ca in probeshift: no rule allows it"},
			},
		},
		"a verb too few is refused": {
			without(rights, update), requests,
			verdict{Refused: []string{"update secrets/probeshift-ca in probeshift: no rule allows it"}},
		},
		"a right in another namespace is none": {
			with(without(rights, update), right{"default", "", "secrets", secretName, "update"}), requests,
			verdict{
				Unused:  []string{"update secrets/probeshift-ca in default"},
				Refused: []string{"update secrets/probeshift-ca in probeshift: no rule allows it"},
			},
		},
		"a right that only failing requests used is unused": {
			rights, answered(requests, update, http.StatusConflict),
			verdict{Unused: []string{"update secrets/probeshift-ca in probeshift"}},
		},
		"a token that is not known is refused": {
			rights, append(slices.Clone(requests), request{"", "", "/version", "", "get", http.StatusUnauthorized}),
			verdict{Refused: []string{"get /version: HTTP 401"}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, compare(tc.rights, tc.requests)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range rights {
		t.Run("without the right to "+r.String(), func(t *testing.T) {
			if got := compare(without(rights, r), requests); len(got.Refused) == 0 {
				t.Error("nothing is refused")
			}
		})
	}
}

func with(rights []right, more right) []right { return append(slices.Clone(rights), more) }

func without(rights []right, less right) []right {
	return slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return r == less })
}

// answered returns the requests, those that a right allows with another answer.
func answered(requests []request, by right, code int) []request {
	changed := slices.Clone(requests)
	for i := range changed {
		if by.allows(changed[i]) {
			changed[i].code = code
		}
	}
	return changed
}

package doctor

import (
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Verdict is how a check came out.
type Verdict string

// The verdicts.
const (
	// OK: nothing is wrong. What was found may still be worth knowing.
	OK Verdict = "ok"
	// Failed: something does not work, or will not.
	Failed Verdict = "failed"
	// CannotTell: the check could not see enough.
	CannotTell Verdict = "can't tell"
)

// Result is what a check found.
type Result struct {
	// Check is the check's name, fixed.
	Check string `json:"check"`
	// LookedAt is what the check read.
	LookedAt string  `json:"lookedAt"`
	Verdict  Verdict `json:"verdict"`
	// Found is what it saw, a sentence each.
	Found []string `json:"found,omitempty"`
	// Remedy is what to do, a sentence or command each; it is there for every
	// verdict but OK.
	Remedy []string `json:"remedy,omitempty"`
	// Apply holds YAML to apply as part of the remedy.
	Apply string `json:"apply,omitempty"`
	// Unused says that there is nothing of what the check is about, so that people
	// need not read of it.
	Unused bool `json:"-"`
}

// note notes something worth knowing.
func (r *Result) note(found string) { r.Found = append(r.Found, found) }

// unused notes that there is nothing of what the check is about.
func (r *Result) unused(found string) {
	r.Unused = true
	r.note(found)
}

// fail notes something that is wrong, and its remedy.
func (r *Result) fail(found, remedy string) {
	r.Verdict = Failed
	r.Found = append(r.Found, found)
	r.remedy(remedy)
}

// unknown notes something that cannot be seen, and how it could be; a check
// that failed otherwise stays failed.
func (r *Result) unknown(found, remedy string) {
	if r.Verdict != Failed {
		r.Verdict = CannotTell
	}
	r.Found = append(r.Found, found)
	r.remedy(remedy)
}

// remedy adds a remedy once.
func (r *Result) remedy(text string) {
	if !slices.Contains(r.Remedy, text) {
		r.Remedy = append(r.Remedy, text)
	}
}

// unread notes that something could not be read.
func (r *Result) unread(what string, err error) {
	remedy := "Try again when the API server answers."
	if apierrors.IsForbidden(err) {
		remedy = "Run doctor as somebody who may read " + what + "."
	}
	r.unknown(what+" could not be read: "+err.Error(), remedy)
}

// newResult is a result that is ok until something is found.
func newResult(check, lookedAt string) Result {
	return Result{Check: check, LookedAt: lookedAt, Verdict: OK}
}

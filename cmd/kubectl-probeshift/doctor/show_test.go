package doctor

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/doctor"
)

// shown is what people see of these results.
func shown(results ...doctor.Result) string {
	var out bytes.Buffer
	show(screen.New(&out, func(string) string { return "" }), Report{Checks: results})
	text, _, _ := strings.Cut(out.String(), "\nWhat no check can see")
	return text
}

func TestLoadBalancingThatNobodyAsksForIsOneLine(t *testing.T) {
	before := doctor.Result{Check: "windows", Verdict: doctor.OK, Found: []string{"None."}}
	after := doctor.Result{Check: "dns-caches", Verdict: doctor.OK, Found: []string{"Unknown."}}
	idle := func(check string) doctor.Result {
		return doctor.Result{Check: check, Verdict: doctor.OK, Found: []string{"Nothing of " + check + "."}, Unused: true}
	}
	const want = "ok          windows           None.\n" +
		"ok          lb-*              No Pod asks for load balancing (2 checks).\n" +
		"ok          dns-caches        Unknown.\n\n4 ok, 0 failed, 0 can't tell.\n"
	if got := shown(before, idle("lb-missed"), idle("lb-ports"), after); got != want {
		t.Errorf("%q, want %q", got, want)
	}

	// One that has something to say brings them all back.
	used := idle("lb-ports")
	used.Unused = false
	for _, check := range []string{"lb-missed", "lb-ports"} {
		if got := shown(before, idle("lb-missed"), used, after); !strings.Contains(got, "Nothing of "+check) {
			t.Errorf("%s is not shown: %s", check, got)
		}
	}
}

// Programs get each check, and nothing that is for people alone.
func TestWhatIsForPeopleIsNotInTheReport(t *testing.T) {
	text, err := json.Marshal(doctor.Result{Check: "lb-ports", Verdict: doctor.OK, Unused: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); got != `{"check":"lb-ports","lookedAt":"","verdict":"ok"}` {
		t.Error(got)
	}
}

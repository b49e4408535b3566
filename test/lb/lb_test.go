package main

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

func TestArgumentsAreExpandedAsTheKubeletDoes(t *testing.T) {
	variables := map[string]string{"POD_IP": "192.0.2.1", "EMPTY": ""}
	for text, want := range map[string]string{
		"plain":                   "plain",
		"$(POD_IP):1":             "192.0.2.1:1",
		"a$(EMPTY)b":              "ab",
		"$$(POD_IP)":              "$(POD_IP)",
		"$$$(POD_IP)":             "$192.0.2.1",
		"$(MISSING)":              "$(MISSING)",
		"$(POD_IP":                "$(POD_IP",
		"$POD_IP, 5$":             "$POD_IP, 5$",
		`^cluster\.(.+)$$ $$`:     `^cluster\.(.+)$ $`,
		"$(MISSING$(POD_IP)":      "$(MISSING192.0.2.1",
		"$($(POD_IP))$(POD_IP)$$": "$(192.0.2.1)192.0.2.1$",
	} {
		if got := expand(text, variables); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestTheNameserverAnswersAsItIsTold(t *testing.T) {
	const name = "greeter.shop.svc.cluster.local."
	address := netip.MustParseAddr("192.0.2.7")
	n := &nameserver{zone: map[string][]netip.Addr{}, asked: map[string]int{}}
	ask := func(kind uint16) *dns.Msg {
		question := new(dns.Msg)
		question.SetQuestion("Greeter.shop.svc.cluster.local.", kind)
		return n.answer(question)
	}
	if got := ask(dns.TypeA); got.Rcode != dns.RcodeNameError {
		t.Errorf("a Service without Pods: %s, want NXDOMAIN", dns.RcodeToString[got.Rcode])
	}
	n.set(name, address)
	got := ask(dns.TypeA)
	if len(got.Answer) != 1 {
		t.Fatalf("%d answers, want 1", len(got.Answer))
	}
	if a, ok := got.Answer[0].(*dns.A); !ok || a.A.String() != address.String() {
		t.Errorf("answered %v, want %v", got.Answer[0], address)
	}
	if got := ask(dns.TypeAAAA); got.Rcode != dns.RcodeSuccess || len(got.Answer) != 0 {
		t.Errorf("AAAA: %v, want no data", got)
	}
	n.be(failing)
	if got := ask(dns.TypeA); got.Rcode != dns.RcodeServerFailure {
		t.Errorf("failing: %s, want SERVFAIL", dns.RcodeToString[got.Rcode])
	}
	n.be(silent)
	if got := ask(dns.TypeA); got != nil {
		t.Errorf("silent: answered %v", got)
	}
	if got := n.questions(name); got != 5 {
		t.Errorf("%d questions counted, want 5", got)
	}
}

func TestASpreadIsEvenWithinATenth(t *testing.T) {
	var backends []*backend
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		backends = append(backends, &backend{address: netip.MustParseAddr(address)})
	}
	for name, c := range map[string]struct {
		seen spread
		even bool
		show string
	}{
		"even":           {spread{"192.0.2.1": 100, "192.0.2.2": 100}, true, "50/50"},
		"just even":      {spread{"192.0.2.1": 110, "192.0.2.2": 90}, true, "55/45"},
		"uneven":         {spread{"192.0.2.1": 112, "192.0.2.2": 88}, false, "56/44"},
		"all on one":     {spread{"192.0.2.1": 200}, false, "100/0"},
		"nothing at all": {spread{}, false, "-/-"},
		"a stranger":     {spread{"192.0.2.1": 100, "192.0.2.2": 100, "192.0.2.9": 1}, false, "50/50 and 1 of others"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.seen.even(backends); got != c.even {
				t.Errorf("even: %t, want %t", got, c.even)
			}
			if got := c.seen.show(backends); got != c.show {
				t.Errorf("shown as %s, want %s", got, c.show)
			}
		})
	}
}

func TestTheWorstWindowIsFound(t *testing.T) {
	var all outcomes
	for i := range 80 { // 10 a second for 8 s
		begun := time.Duration(i) * 100 * time.Millisecond
		lost := begun >= 2*time.Second && begun < 3*time.Second
		if !lost {
			all = append(all, outcome{begun: begun})
		}
	}
	percent, begin := all.worstWindow(10)
	if percent != 50 || begin != 2*time.Second {
		t.Errorf("%.0f %% at %s, want 50 %% at 2s", percent, begin)
	}
}

func TestWhatWasInFlightIsWhatHadBegunAndWasNotDone(t *testing.T) {
	all := outcomes{
		{begun: 0, took: time.Second},
		{begun: time.Second, took: time.Second},
		{begun: 3 * time.Second, took: time.Second},
	}
	if got := all.inFlight(span{1500 * time.Millisecond, 1600 * time.Millisecond}); len(got) != 1 || got[0].begun != time.Second {
		t.Errorf("in flight: %v, want the second", got)
	}
}

func TestMetricsAreAddedUpByTheirLabels(t *testing.T) {
	seen, err := parseStats(strings.NewReader(`# TYPE rq counter
rq{pool="a",code="1"} 3
rq{pool="a",code="2"} 4
rq{pool="b",code="1"} 5
rq_time{pool="a"} 100
up{} 1
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := seen.sum("rq", `"a"`); got != 7 {
		t.Errorf("sum %v, want 7", got)
	}
	if got := seen.count("rq"); got != 3 {
		t.Errorf("%d series, want 3", got)
	}
}

func TestDifferencesBesideADirectCallAreNamed(t *testing.T) {
	direct := map[string][]string{"same": {"1"}, "lost": {"1"}, "changed": {"1"}, "date": {"today"}}
	through := map[string][]string{"same": {"1"}, "changed": {"2"}, "more": {"1"}, "date": {"tomorrow"}}
	if got, want := differences(direct, through), `changed ["1"] became ["2"], -lost, +more`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheHostsFileHoldsAliasesBelowThePodsOwnNames(t *testing.T) {
	got := hostsFile([]corev1.HostAlias{{IP: "127.64.0.1", Hostnames: []string{"greeter", "greeter.shop"}}})
	if !strings.HasSuffix(got, "\n127.64.0.1\tgreeter\tgreeter.shop\n") || !strings.Contains(got, "127.0.0.1\tlocalhost\n") {
		t.Errorf("the file:\n%s", got)
	}
}

func TestLongCellsGoOnInTheNextLine(t *testing.T) {
	var out bytes.Buffer
	r := row{What: "something that is too long for the column it is in", Wanted: "short", Seen: "short", Met: true}
	r.print(&out)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "met") || lines[1] != "  is in" {
		t.Errorf("printed:\n%s", out.String())
	}
}

func TestOnlyAMissedRowFailsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		row     row
		verdict string
		failed  bool
	}{
		"met":      {row{Met: true}, "met", false},
		"missed":   {row{}, "MISSED", true},
		"too slow": {row{Figure: true}, "above target", false},
		"quick":    {row{Figure: true, Met: true}, "met", false},
	} {
		if got := c.row.verdict(); got != c.verdict {
			t.Errorf("%s: %s, want %s", name, got, c.verdict)
		}
		if got := c.row.failed(); got != c.failed {
			t.Errorf("%s: failed %t, want %t", name, got, c.failed)
		}
	}
}

func TestABedThatBreaksIsAMissedRow(t *testing.T) {
	rows := make(chan row, 1)
	rows <- row{What: "fine", Met: true}
	close(rows)
	var out bytes.Buffer
	table := &table{out: &out}
	table.take(group{name: "broken"}, bedRun{rows: rows, problem: func() error { return dns.ErrBuf }, waited: cpuWait()})
	if err := table.end(0); err == nil || !strings.Contains(out.String(), "broken: the rest of the group") {
		t.Errorf("error %v, printed:\n%s", err, out.String())
	}
}

// showing is a bed that shows one row on a machine that is so busy.
func showing(r row, waited float64) bedRun {
	rows := make(chan row, 1)
	rows <- r
	close(rows)
	return bedRun{rows: rows, problem: func() error { return nil }, waited: func() float64 { return waited }}
}

func TestOnABusyMachineAGroupMayMissARowOnce(t *testing.T) {
	missed, met := row{What: "nothing is late"}, row{What: "nothing is late", Met: true}
	for name, c := range map[string]struct {
		forgives bool
		waited   float64
		second   row
		wantErr  bool
	}{
		"met when it is alone":            {true, 0.9, met, false},
		"missed when it is alone as well": {true, 0.9, missed, true},
		"missed where beds are alone":     {false, 0.9, met, true},
		"missed where the CPUs suffice":   {true, 0.2, met, true},
		"missed where nobody knows":       {true, -1, met, true},
	} {
		var out bytes.Buffer
		table := &table{out: &out, forgives: c.forgives}
		table.take(group{name: "late"}, showing(missed, c.waited))
		table.showAgain(func(group) bedRun { return showing(c.second, c.waited) })
		if err := table.end(0); (err != nil) != c.wantErr {
			t.Errorf("%s: error %v, printed:\n%s", name, err, out.String())
		}
		if !strings.Contains(out.String(), "MISSED") {
			t.Errorf("%s: the first showing is not told:\n%s", name, out.String())
		}
	}
}

func TestGroupsAreChosenByName(t *testing.T) {
	chosen, err := choose([]string{"dns", "scale"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range chosen {
		names = append(names, g.name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"dns", "scale"}, names); diff != "" {
		t.Errorf("chosen (-want +got):\n%s", diff)
	}
	if _, err := choose([]string{"no-such-group"}); err == nil {
		t.Error("a group that does not exist was chosen")
	}
}

func TestThePodIsPatchedByTheProduct(t *testing.T) {
	patched, size, err := patch(upstreams(greeterTarget), sidecar.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if size == 0 || len(patched.Spec.InitContainers) != 1 || len(patched.Spec.HostAliases) != 1 {
		t.Errorf("a patch of %d bytes made %d init containers and %d aliases", size, len(patched.Spec.InitContainers), len(patched.Spec.HostAliases))
	}
}

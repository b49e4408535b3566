package conformance

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// abreast is how many verdicts are awaited at a time; most of them wait.
const abreast = 32

// cell is one probe against one server.
type cell struct {
	state   state
	port    string
	legacy  legacy
	kubelet kubelet
	version string
}

// outcome is what both kinds of probe said.
type outcome struct {
	finding      mutate.Finding
	exec, native verdict
}

// Both verdicts are asked for at the same server: that of the exec probe, which
// runs the released tool, and that of the native probe, which dials the Pod's
// address. Probes that a rule leaves alone are tried too: where their verdicts
// differ, the rule has done its work.
func TestTheVerdictIsTheSameBeforeAndAfter(t *testing.T) {
	m := newMatrix()
	var cells []cell
	ports := map[string]string{}
	for _, s := range states() {
		ports[s.name] = s.start(t)
	}
	for i, version := range toolVersions[:min(*releaseCount, len(toolVersions))] {
		k := newKubelet(t, version)
		if k.podIPv6 == "" {
			m.remark = "IPv6-first clusters were not tried: this machine has no second IPv6 address"
		}
		for _, s := range states() {
			for _, l := range legacies() {
				if wanted(s, l, k) && (few(s, l) || *everyVerdict && i == 0) {
					cells = append(cells, cell{state: s, port: ports[s.name], legacy: l.at(ports[s.name]), kubelet: k, version: version})
				}
			}
		}
	}
	// A busy machine can make a probe fail that would pass, so whatever differs
	// is tried again with less beside it, and in the end alone.
	outcomes := tryAll(t, cells, abreast)
	tryAgain(t, cells, outcomes, abreast/4, func(k kind) bool { return k >= prevented })
	for range 5 {
		tryAgain(t, cells, outcomes, 1, func(k kind) bool { return k == different })
	}
	for i, c := range cells {
		o := outcomes[i]
		m.add(c, o)
		if kind, _ := c.judge(o); kind == different {
			t.Errorf("%s, server %q, probe %q (%s %s):\n  exec   %t %q\n  native %t %q", c.version, c.state.name, c.legacy.name,
				o.finding.Outcome, o.finding.Reason, o.exec.pass, o.exec.text, o.native.pass, o.native.text)
		}
	}
	verdicts.add(m)
	if !*everyVerdict || *releaseCount < len(toolVersions) {
		return
	}
	for _, why := range []string{evidence, judges, alpn, sharedTime, unreached} {
		if !m.found(why) {
			t.Errorf("nothing shows that verdicts may differ since %s", why)
		}
	}
}

// wanted says whether a probe means something with a server, here.
func wanted(s state, l legacy, k kubelet) bool {
	return (l.slow || !s.slow) && (!l.where.ipv6 || k.podIPv6 != "")
}

// few says whether a pair is tried in the short form, and with the releases of
// the tool after the first: every server with a few probes, every probe with a
// few servers.
func few(s state, l legacy) bool {
	return slices.Contains([]string{"SERVING", "NOT_SERVING"}, s.name) ||
		slices.Contains([]string{":PORT", "TLS, not verified", "the Pod's address"}, l.name)
}

// tryAll tries cells, some at a time.
func tryAll(t *testing.T, cells []cell, abreast int) []outcome {
	t.Helper()
	outcomes := make([]outcome, len(cells))
	var wait sync.WaitGroup
	places := make(chan struct{}, abreast)
	for i, c := range cells {
		places <- struct{}{}
		wait.Go(func() {
			outcomes[i] = c.try(t)
			<-places
		})
	}
	wait.Wait()
	return outcomes
}

// tryAgain tries those cells once more whose verdicts go together in some way.
func tryAgain(t *testing.T, cells []cell, outcomes []outcome, abreast int, which func(kind) bool) {
	t.Helper()
	var again []cell
	var at []int
	for i, c := range cells {
		if kind, _ := c.judge(outcomes[i]); which(kind) {
			again, at = append(again, c), append(at, i)
		}
	}
	for i, o := range tryAll(t, again, abreast) {
		outcomes[at[i]] = o
	}
}

// try asks for both verdicts at once.
func (c cell) try(t *testing.T) outcome {
	t.Helper()
	o := outcome{finding: c.legacy.decide(t, c.port)}
	action, timeoutSeconds := o.finding.GRPC, o.finding.NewTimeoutSeconds
	if action == nil {
		action, timeoutSeconds = c.legacy.asked(c.port), c.legacy.timeoutSeconds
	}
	var wait sync.WaitGroup
	wait.Go(func() { o.exec = c.kubelet.exec(t.Context(), c.legacy) })
	o.native = c.kubelet.grpc(action, timeoutSeconds, c.legacy.where.ipv6)
	wait.Wait()
	return o
}

// kind is how the two verdicts go together.
type kind int

const (
	bothPass kind = iota
	bothFail
	// prevented: they differ, and a rule left the probe alone.
	prevented
	// lost: the rewritten probe fails, and it is known why no manifest shows it.
	lost
	// gained: the rewritten probe passes, and it is known why.
	gained
	// different: they differ and must not.
	different
)

// judge says how two verdicts go together, and why they may differ.
func (c cell) judge(o outcome) (k kind, why string) {
	switch {
	case o.exec.pass && o.native.pass:
		return bothPass, ""
	case !o.exec.pass && !o.native.pass:
		return bothFail, ""
	case o.finding.Outcome != mutate.Rewritten:
		return prevented, string(o.finding.Reason)
	case o.exec.pass && c.state.letter != "":
		return lost, c.state.letter
	case o.native.pass && c.state.gain != "":
		return gained, c.state.gain
	}
	return different, fmt.Sprintf("exec %t, native %t", o.exec.pass, o.native.pass)
}

package main

import (
	"fmt"
	"path"
	"strings"
)

// pod shows what became of one Pod: each probe before and after, why it was left
// alone where it was, and what kubectl would have printed.
func (s *screen) pod(dir, file, name string, changes []change, warnings []string) {
	s.line("")
	left, right := "Pod "+name, path.Join(dir, file)
	gap := max(2, s.width-columns(left)-columns(right))
	s.line(s.paint(bold, left) + strings.Repeat(" ", gap) + s.paint(faint, right))
	for _, alike := range groups(changes) {
		s.change(alike)
	}
	for _, w := range warnings {
		s.wrapped(yellow, "  Warning: ", w)
	}
}

// groups puts probes together that were alike and became alike.
func groups(changes []change) [][]change {
	var all [][]change
next:
	for _, c := range changes {
		for i := range all {
			if all[i][0].same(c) {
				all[i] = append(all[i], c)
				continue next
			}
		}
		all = append(all, []change{c})
	}
	return all
}

// change shows probes that are alike.
func (s *screen) change(alike []change) {
	c := alike[0]
	var kinds []string
	for _, each := range alike {
		kinds = append(kinds, each.kind)
	}
	s.line(fmt.Sprintf("  %s %s", c.container, strings.Join(kinds, ", ")))
	if c.rewritten() {
		s.wrapped(red, "    - exec  ", c.command())
		s.wrapped(green, "    + grpc  ", strings.TrimPrefix(c.String(), "grpc, "))
		return
	}
	s.wrapped(faint, "    = exec  ", c.command())
	s.wrapped(yellow, "      why   ", fmt.Sprintf("%s: %s", c.reason, c.reason.Sentence()))
	s.wrapped(green, "      fix   ", c.reason.Remedy())
}

// summary shows the counts, and everything that was not as expected.
func (s *screen) summary(t tally) {
	s.line("")
	text := fmt.Sprintf("%d Pods, %d probes: %d native now, %d left alone", t.pods, t.rewritten+t.left, t.rewritten, t.left)
	if len(t.unexpected) == 0 {
		s.line(s.paint(bold, text+", all as expected."))
		return
	}
	s.line(s.paint(bold, text+". Not as expected:"))
	for _, problem := range t.unexpected {
		s.wrapped(red, "  ! ", problem)
	}
}

// tryIt tells how to go on with kubectl.
func (s *screen) tryIt(c *cluster, dir string) {
	s.line("")
	s.wrapped(reset, "", "All of it stays up until Ctrl-C; no kubelet runs here, so the Pods stay Pending. Try in another terminal, in the same directory:")
	s.line("")
	for _, command := range []string{
		"export KUBECONFIG=" + quote(c.kubeconfig()),
		"kubectl -n " + legacyNamespace + " get pod ledger-0 -o yaml",
		"kubectl -n " + auditedNamespace + " create -f " + quote(path.Join(dir, "bare-pod.yaml")) + "  # only warns",
		"tail -f " + quote(c.webhook.log),
	} {
		s.line("  " + s.paint(bold, command))
	}
}

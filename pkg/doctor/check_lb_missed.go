package doctor

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/survey"
)

/*
A Pod that asks for the load-balancing sidecar and does not have it runs, does not
balance, and nothing else tells: the webhook that would warn never saw it, because
its namespace is not switched on or the webhook was away. A Pod that is older than
the webhook or the label follows with its next rollout.
*/

func checkLBMissed(f *Facts) Result {
	r := newResult("lb-missed", "running and pending Pods with lb.probeshift.dev/upstreams and without the sidecar, and label "+survey.WebhookLabel+" of their namespaces")
	if f.Namespaces.Err != nil {
		r.unread("namespaces", f.Namespaces.Err)
		return r
	}
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	p := f.Pods.Value
	f.outside(&r)
	for _, owner := range sortedOwners(p.Unbalanced[younger]) {
		r.fail(fmt.Sprintf("%s %s: %s without the sidecar, so its requests are not balanced.", owner.Namespace, owner, pods(p.Unbalanced[younger][owner])), rollOut(owner))
	}
	if n, names := someOf(p.Unbalanced[older]); n > 0 {
		r.note(fmt.Sprintf("%s older than the webhook or their namespace's label, without the sidecar until their next rollout (kubectl rollout restart): %s.", pods(n), names))
	}
	if n, names := someOf(p.Unbalanced[unsure]); n > 0 {
		r.unknown(fmt.Sprintf("%s without the sidecar, and when the namespace was labelled is not recorded: %s.", pods(n), names),
			"Roll their workloads out; what then has no sidecar was missed.")
	}
	if r.Found == nil {
		r.unused("No Pod asks for the sidecar and runs without it.")
	}
	return r
}

// outside tells of the Pods of namespaces that are not switched on, by namespace:
// what is to be done is the same for all of one.
func (f *Facts) outside(r *Result) {
	all := f.Pods.Value.Unbalanced[outside]
	for owners := sortedOwners(all); len(owners) > 0; {
		namespace, count := owners[0].Namespace, 0
		var names, anew []string
		for len(owners) > 0 && owners[0].Namespace == namespace {
			count += all[owners[0]]
			names = append(names, owners[0].String())
			anew = append(anew, rollOut(owners[0]))
			owners = owners[1:]
		}
		// One that was made since the namespaces were read is not among them.
		if i := slices.IndexFunc(f.Namespaces.Value, func(n corev1.Namespace) bool { return n.Name == namespace }); i >= 0 {
			who := fmt.Sprintf("%s without the sidecar: %s.", pods(count), joined(names))
			f.notSwitchedOn(r, &f.Namespaces.Value[i], who, anew[:min(len(anew), mostNames)])
		}
	}
}

// notSwitchedOn notes why who of a namespace has no sidecar, and what to do; anew
// is how they get new Pods.
func (f *Facts) notSwitchedOn(r *Result, n *corev1.Namespace, who string, anew []string) {
	value, labelled := n.Labels[survey.WebhookLabel]
	switch {
	case f.configuration() != nil && !f.couldServe(n):
		r.fail("Namespace "+n.Name+" is never served; "+who, "Remove the annotation lb.probeshift.dev/upstreams, or run these Pods in another namespace.")
	case !labelled:
		r.fail("Namespace "+n.Name+" has no label "+survey.WebhookLabel+"; "+who,
			"Switch the namespace on, for its probes too, and create the Pods anew: kubectl label namespace "+n.Name+" "+survey.WebhookLabel+"="+enabled)
		for _, remedy := range anew {
			r.remedy(remedy)
		}
	case value == audited:
		r.note("Namespace " + n.Name + " is only audited, until its label says " + enabled + "; " + who)
	case value == enabled:
		r.unknown("Namespace "+n.Name+" is labelled, and no configuration of ours was found that serves it; "+who, "See the check configuration.")
	default:
		r.fail(fmt.Sprintf("Namespace %s has the value %q, which does nothing; %s", n.Name, value, who), "See the check namespaces.")
	}
}

// someOf is how many Pods there are, and the names of some of their workloads.
func someOf(counts map[survey.Owner]int) (n int, names string) {
	var all []string
	for _, owner := range sortedOwners(counts) {
		n += counts[owner]
		all = append(all, owner.Namespace+" "+owner.String())
	}
	return n, joined(all)
}

package doctor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/probeshift/probeshift/pkg/survey"
)

/*
A Pod with a probe of ours and no status annotation was never seen by the
webhook: it was away when the Pod was created. Pods that are older than the
label are no such case; they follow with their next rollout.
*/

func checkMissed(f *Facts) Result {
	r := newResult("missed", "Pods of enabled namespaces that have such a probe and no status annotation")
	if f.Namespaces.Err != nil {
		r.unread("namespaces", f.Namespaces.Err)
		return r
	}
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	p := f.Pods.Value
	for _, owner := range sortedOwners(p.Missed) {
		r.fail(fmt.Sprintf("%s %s: %s created while the webhook did not answer.", owner.Namespace, owner, pods(p.Missed[owner])), rollOut(owner))
	}
	if p.Older > 0 {
		r.note(pods(p.Older) + " older than the webhook or their namespace's label, to follow with their next rollout.")
	}
	if p.Unsure > 0 {
		r.unknown(pods(p.Unsure)+" without a status, and when the namespace was labelled is not recorded.",
			"Roll their workloads out; what then has no status was missed.")
	}
	if r.Verdict == OK {
		r.note("No Pod was missed.")
	}
	return r
}

// rollOut is how a workload gets new Pods.
func rollOut(o survey.Owner) string {
	switch o.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return fmt.Sprintf("kubectl -n %s rollout restart %s", o.Namespace, o)
	case "Job", "CronJob":
		return fmt.Sprintf("The next run of %s in %s gets new Pods.", o, o.Namespace)
	}
	return fmt.Sprintf("Create the Pods of %s in %s anew.", o, o.Namespace)
}

// pods is a number of Pods.
func pods(n int) string {
	if n == 1 {
		return "1 Pod"
	}
	return fmt.Sprintf("%d Pods", n)
}

func sortedOwners(counts map[survey.Owner]int) []survey.Owner {
	return slices.SortedFunc(maps.Keys(counts), survey.Owner.Compare)
}

func checkWindows(f *Facts) Result {
	r := newResult("windows", "probes of all Pods that run grpc_health_probe.exe")
	if f.Pods.Err != nil {
		r.unread("Pods", f.Pods.Err)
		return r
	}
	for _, owner := range sortedOwners(f.Pods.Value.Windows) {
		r.note(fmt.Sprintf("%s %s runs the tool as an .exe, which is not recognised: its probes stay as they are.", owner.Namespace, owner))
	}
	if r.Found == nil {
		r.note("None.")
	}
	return r
}

package doctor

/*
Whether API servers reach and trust the webhook shows only in a Pod that is
created. The canary is a Pod with such a probe, created as a dry run: nothing is
stored, no container runs.
*/

func checkCanary(f *Facts) Result {
	r := newResult("dry-run", "a legacy Pod, created as a server-side dry run in a served namespace (needs the permission to create Pods)")
	c := &f.Canary
	plain := "Allow the creation of Pods, as a dry run nothing is stored. Until then go by the checks configuration, ca-bundle and deployment."
	switch {
	case c.Namespace == "":
		r.unknown("No namespace is served in which to try.", "See the check namespaces.")
	case c.Err != nil:
		r.unknown("The API server refused it in namespace "+c.Namespace+": "+c.Err.Error(), plain)
	case c.Audited && c.Warned:
		r.note("In namespace " + c.Namespace + ", which is only audited, the webhook was called and answered.")
	case c.Status:
		r.note("In namespace " + c.Namespace + " the webhook was called, trusted, and answered.")
	case c.Audited:
		r.fail("In namespace "+c.Namespace+" no warning came back: the webhook was not called, or not trusted, or did not answer in time.", remedyUnreachable)
	default:
		r.fail("In namespace "+c.Namespace+" the Pod came back without the status annotation: the webhook was not called, or not trusted, or did not answer in time.", remedyUnreachable)
	}
	return r
}

const remedyUnreachable = "See the failed checks above. If there are none, API servers cannot reach the webhook's port: " +
	"a firewall between control plane and nodes, or a network that Pods alone are part of (component hostnetwork)."

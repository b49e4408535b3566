package doctor

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

/*
The configuration tells API servers to call the webhook. Its two entries have
frozen names, one for each value of the namespace label.
*/

const (
	// ConfigurationName is the name of the webhook's configuration.
	ConfigurationName = "grpc-probeshift"
	// rewriteEntry and auditEntry are the frozen names of its entries.
	rewriteEntry = "rewrite.probeshift.dev"
	auditEntry   = "audit.probeshift.dev"

	applyManifests = "Apply deploy/webhook: kubectl apply -k deploy/webhook"
)

func checkConfiguration(f *Facts) Result {
	r := newResult("configuration", "MutatingWebhookConfiguration "+f.ConfigurationName)
	if f.Configurations.Err != nil {
		r.unread("mutating webhook configurations", f.Configurations.Err)
		return r
	}
	c := f.configuration()
	if c == nil {
		r.fail("There is no such configuration, so no API server calls the webhook.", applyManifests)
		return r
	}
	for _, name := range []string{rewriteEntry, auditEntry} {
		if entry(c, name) == nil {
			r.fail("The entry "+name+" is missing.", applyManifests)
		}
	}
	for i := range c.Webhooks {
		checkEntry(&r, &c.Webhooks[i])
	}
	if r.Verdict == OK {
		r.note(fmt.Sprintf("%d entries.", len(c.Webhooks)))
	}
	return r
}

// checkEntry looks for what must not differ from the manifests: a Pod may never
// be refused because of us, and must reach us when it is created.
func checkEntry(r *Result, w *admissionv1.MutatingWebhook) {
	if w.FailurePolicy == nil || *w.FailurePolicy != admissionv1.Ignore {
		r.fail("The entry "+w.Name+" has failurePolicy Fail: Pods are refused while the webhook is away.", applyManifests)
	}
	if !slices.ContainsFunc(w.Rules, func(rule admissionv1.RuleWithOperations) bool {
		return takes(rule.Resources, "pods") && takes(rule.Operations, admissionv1.Create)
	}) {
		r.fail("The entry "+w.Name+" has no rule for the creation of Pods.", applyManifests)
	}
}

// takes says whether a list of a rule holds a value, or the star for all.
func takes[T ~string](list []T, value T) bool {
	return slices.Contains(list, value) || slices.Contains(list, T("*"))
}

// entry is an entry of a configuration, nil where there is none.
func entry(c *admissionv1.MutatingWebhookConfiguration, name string) *admissionv1.MutatingWebhook {
	for i := range c.Webhooks {
		if c.Webhooks[i].Name == name {
			return &c.Webhooks[i]
		}
	}
	return nil
}

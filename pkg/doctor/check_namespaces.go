package doctor

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/probeshift/probeshift/pkg/survey"
)

/*
A namespace opts in by its label. A value that is not known does nothing, and
neither does the label on a namespace that is never served.
*/

// The values of the label.
const (
	enabled = "enabled"
	audited = "audit"
)

func checkNamespaces(f *Facts) Result {
	r := newResult("namespaces", "label "+survey.WebhookLabel+" of all namespaces")
	if f.Namespaces.Err != nil {
		r.unread("namespaces", f.Namespaces.Err)
		return r
	}
	byValue := map[string][]string{}
	for i := range f.Namespaces.Value {
		n := &f.Namespaces.Value[i]
		value, labelled := n.Labels[survey.WebhookLabel]
		switch {
		case !labelled:
		case value != enabled && value != audited:
			r.fail(fmt.Sprintf("Namespace %s has the value %q, which is not known and does nothing.", n.Name, value),
				"Use enabled or audit: kubectl label --overwrite namespace "+n.Name+" "+survey.WebhookLabel+"=audit")
		case f.Configurations.Err == nil && f.configuration() != nil && !f.serves(n):
			r.fail("Namespace "+n.Name+" is labelled, but the configuration's selectors leave it out.",
				"Namespaces that a cluster or the webhook needs to run are never served; remove the label.")
		default:
			byValue[value] = append(byValue[value], n.Name)
		}
	}
	for _, value := range []string{enabled, audited} {
		if names := byValue[value]; len(names) > 0 {
			r.note(fmt.Sprintf("%s: %s.", value, joined(names)))
		}
	}
	if len(byValue) == 0 {
		r.fail("No namespace is served, so the webhook is never called.",
			"Begin with a look: kubectl label namespace NAMESPACE "+survey.WebhookLabel+"=audit")
	}
	return r
}

// serves says whether the configuration has an entry for a namespace.
func (f *Facts) serves(n *corev1.Namespace) bool {
	c := f.configuration()
	if c == nil {
		return false
	}
	all := labels.Set{corev1.LabelMetadataName: n.Name} // the API server sets it
	maps.Copy(all, n.Labels)
	for i := range c.Webhooks {
		selector, err := metav1.LabelSelectorAsSelector(c.Webhooks[i].NamespaceSelector)
		if err == nil && selector.Matches(all) {
			return true
		}
	}
	return false
}

// couldServe says whether the configuration would have an entry for a namespace,
// were it labelled.
func (f *Facts) couldServe(n *corev1.Namespace) bool {
	labelled := n.DeepCopy()
	labelled.Labels = map[string]string{}
	maps.Copy(labelled.Labels, n.Labels)
	labelled.Labels[survey.WebhookLabel] = enabled
	return f.serves(labelled)
}

// Served returns the namespaces that are labelled with a value and served.
func (f *Facts) Served(value string) []string {
	var names []string
	for i := range f.Namespaces.Value {
		n := &f.Namespaces.Value[i]
		if n.Labels[survey.WebhookLabel] == value && f.serves(n) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return names
}

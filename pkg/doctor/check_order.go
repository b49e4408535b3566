package doctor

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

/*
Mutating webhooks are called in the order of their configurations' names. Istio
takes native probes over only where it finds them, so ours has to come first; and
where Linkerd comes first, probes are left alone that need not be.
*/

// meshWords tell the configuration of a mesh, by its name or those of its
// entries.
var meshWords = []string{"istio", "linkerd"}

func checkOrder(f *Facts) Result {
	r := newResult("order", "names of all mutating webhook configurations")
	if f.Configurations.Err != nil {
		r.unread("mutating webhook configurations", f.Configurations.Err)
		return r
	}
	if f.configuration() == nil {
		r.unknown("There is no configuration of ours to compare.", applyManifests)
		return r
	}
	meshes := 0
	for i := range f.Configurations.Value {
		c := &f.Configurations.Value[i]
		if c.Name == f.ConfigurationName || !isMesh(c) {
			continue
		}
		meshes++
		if c.Name < f.ConfigurationName {
			r.fail("The mesh's configuration "+c.Name+" sorts before "+f.ConfigurationName+", so that the mesh is called first.",
				"Rename the mesh's configuration (its own installer has a setting), so that it sorts after "+f.ConfigurationName+".")
		} else {
			r.note(c.Name + " comes after ours.")
		}
	}
	if meshes == 0 {
		r.note("No configuration of Istio or Linkerd is there.")
	}
	return r
}

// isMesh says whether a configuration is a mesh's and is called for new Pods.
func isMesh(c *admissionv1.MutatingWebhookConfiguration) bool {
	names := []string{c.Name}
	pods := false
	for i := range c.Webhooks {
		names = append(names, c.Webhooks[i].Name)
		pods = pods || slices.ContainsFunc(c.Webhooks[i].Rules, func(rule admissionv1.RuleWithOperations) bool {
			return takes(rule.Resources, "pods")
		})
	}
	return pods && slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(meshWords, func(word string) bool { return strings.Contains(name, word) })
	})
}

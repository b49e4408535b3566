package life

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// right allows one verb on one resource, which is the smallest thing that a
// role can give.
type right struct {
	// namespace is where it holds, empty for everywhere.
	namespace string
	group     string
	resource  string
	// name is that of the one object it holds for, empty for all.
	name string
	verb string
}

// String is the right in the words of kubectl auth can-i.
func (r right) String() string { return sentence(r.verb, r.group, r.resource, r.name, r.namespace) }

// allows tells whether the right covers a request.
func (r right) allows(q request) bool {
	return r.verb == q.verb && r.group == q.group && r.resource == q.resource &&
		(r.namespace == "" || r.namespace == q.namespace) &&
		(r.name == "" || r.name == q.name)
}

// sentence names an action: "get secrets/probeshift-ca in probeshift".
func sentence(verb, group, resource, name, namespace string) string {
	if group != "" {
		resource += "." + group
	}
	if name != "" {
		resource += "/" + name
	}
	if namespace != "" {
		resource += " in " + namespace
	}
	return verb + " " + resource
}

// rightsOf lists the rights of the roles among some objects. A right that two
// rules give is listed twice.
func rightsOf(t *testing.T, objects []*unstructured.Unstructured) []right {
	t.Helper()
	var all []right
	for _, object := range objects {
		switch object.GetKind() {
		case "Role":
			all = append(all, expand(object.GetNamespace(), typed[rbacv1.Role](t, object).Rules)...)
		case "ClusterRole":
			all = append(all, expand("", typed[rbacv1.ClusterRole](t, object).Rules)...)
		default:
		}
	}
	return all
}

// expand lists the rights of some rules. A wildcard stays a star and so allows
// no request: it is not what a role of ours should hold.
func expand(namespace string, rules []rbacv1.PolicyRule) []right {
	var all []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						all = append(all, right{namespace, group, resource, name, verb})
					}
				}
			}
		}
		for _, url := range rule.NonResourceURLs {
			for _, verb := range rule.Verbs {
				all = append(all, right{resource: url, verb: verb})
			}
		}
	}
	return all
}

// verdict is how rights and requests fit together, in sorted words. Both lists
// are empty when they fit exactly.
type verdict struct {
	// Unused are the rights that no successful request needed: without them
	// each would have succeeded too.
	Unused []string
	// Refused are the requests that the API server refused, and those that the
	// rights do not cover.
	Refused []string
}

// compare holds the rights against the requests that were made under them.
func compare(rights []right, requests []request) verdict {
	var v verdict
	needed := map[int]bool{}
	for _, q := range requests {
		var by []int
		for i, r := range rights {
			if r.allows(q) {
				by = append(by, i)
			}
		}
		switch {
		case q.isRefused():
			v.Refused = append(v.Refused, fmt.Sprintf("%s: HTTP %d", q, q.code))
		case len(by) == 0 && !q.isOpen():
			v.Refused = append(v.Refused, fmt.Sprintf("%s: no rule allows it", q))
		case len(by) == 1 && q.isSuccess():
			needed[by[0]] = true
		}
	}
	for i, r := range rights {
		if !needed[i] {
			v.Unused = append(v.Unused, r.String())
		}
	}
	v.Unused, v.Refused = distinct(v.Unused), distinct(v.Refused)
	return v
}

// distinct sorts words and drops repetitions.
func distinct(words []string) []string {
	slices.SortFunc(words, strings.Compare)
	return slices.Compact(words)
}

// typed converts an object, refusing what its type does not know.
func typed[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	converted := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, converted, true); err != nil {
		t.Fatal(err)
	}
	return converted
}

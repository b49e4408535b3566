package mutate

import (
	"slices"
	"strings"
)

/*
The Pod's annotations decide below the ceiling of its namespace. A key or value
that is not known never blocks a Pod: a value counts as the most careful one of
its key, and a remark names it.
*/

const (
	prefix = "probeshift.dev/"

	// StatusAnnotation is where the decision is written.
	StatusAnnotation = prefix + "status"
	// ProbesAnnotation is rewrite, audit or off.
	ProbesAnnotation = prefix + "probes"
	// PortsAnnotation is declared or any.
	PortsAnnotation = prefix + "ports"
	// MeshAnnotation is respect or ignore.
	MeshAnnotation = prefix + "mesh"
	// IPFamilyAnnotation is respect or ignore.
	IPFamilyAnnotation = prefix + "ip-family"
)

// switchValues are the values of each annotation, the most careful one first.
var switchValues = map[string][]string{
	ProbesAnnotation:   {"off", "audit", "rewrite"},
	PortsAnnotation:    {"declared", "any"},
	MeshAnnotation:     {"respect", "ignore"},
	IPFamilyAnnotation: {"respect", "ignore"},
}

// switches are the policy as it holds for one Pod.
type switches struct {
	Policy
	// rewrite is false where probes are only looked at.
	rewrite bool
	// off says that the Pod's owner switched rewriting off.
	off bool
}

// readSwitches applies the Pod's annotations to the policy.
func readSwitches(annotations map[string]string, policy Policy) (switches, []Remark) {
	s := switches{Policy: policy, rewrite: !policy.Audit}
	var remarks []Remark
	for _, key := range ourKeys(annotations) {
		value := annotations[key]
		known, ok := switchValues[key]
		switch {
		case !ok:
			remarks = append(remarks, Remark{BadAnnotation, "annotation " + key + " is not known"})
			continue
		case !slices.Contains(known, value):
			remarks = append(remarks, Remark{BadAnnotation,
				"annotation " + key + " is not one of " + strings.Join(known, ", ") + "; taken as " + known[0]})
			value = known[0]
		}
		switch key {
		case ProbesAnnotation:
			s.off = value == "off"
			s.rewrite = s.rewrite && value == "rewrite"
			if policy.Audit && value == "rewrite" {
				remarks = append(remarks, Remark{NamespaceAudits, "the Pod asks for rewriting, but its namespace is only audited"})
			}
		case PortsAnnotation:
			s.AnyPort = value == "any"
		case MeshAnnotation:
			s.IgnoreMesh = value == "ignore"
		case IPFamilyAnnotation:
			s.IgnoreIPFamily = value == "ignore"
		}
	}
	return s, remarks
}

// ourKeys returns the annotations with our prefix, the status excepted, sorted.
func ourKeys(annotations map[string]string) []string {
	var keys []string
	for key := range annotations {
		if strings.HasPrefix(key, prefix) && key != StatusAnnotation {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

package sidecar

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

/*
Names are read as the Pod's resolver would find them: one label is a Service of
the Pod's own namespace, two are service.namespace, three that end in svc are
service.namespace.svc. Anything else, and everything with a final dot, is a
fully qualified name as written. A fully qualified name of a Service in the
cluster's domain is that Service.
*/

// name is a name that is dialled or that a backend has.
type name struct {
	// full is the fully qualified name, without the final dot.
	full string
	// service and namespace are empty for a name outside the cluster.
	service, namespace string
}

// readName reads a name as a Pod of the namespace means it. problem says why a
// name is none.
func readName(written, namespace, domain string) (n name, problem string) {
	bare, absolute := strings.CutSuffix(written, ".")
	if _, err := netip.ParseAddr(bare); err == nil {
		return name{}, "is an address, which is one server: name a Service"
	}
	if len(validation.IsDNS1123Subdomain(bare)) > 0 {
		return name{}, "is no DNS name: use lower-case letters, digits, - and ."
	}
	if bare == "localhost" {
		return name{}, "is the Pod itself: name a Service"
	}
	n = name{full: bare}
	labels := strings.Split(bare, ".")
	inCluster, isInCluster := strings.CutSuffix(bare, ".svc."+domain)
	switch {
	case isInCluster && strings.Count(inCluster, ".") == 1:
		n.service, n.namespace, _ = strings.Cut(inCluster, ".")
	case absolute:
	case len(labels) == 1:
		n.service, n.namespace = bare, namespace
	case len(labels) == 2:
		n.service, n.namespace = labels[0], labels[1]
	case len(labels) == 3 && labels[2] == "svc":
		n.service, n.namespace = labels[0], labels[1]
	}
	if n.service != "" {
		n.full = n.service + "." + n.namespace + ".svc." + domain
	}
	for label := range strings.SplitSeq(n.full, ".") {
		if len(label) > validation.DNS1123LabelMaxLength {
			return name{}, "has a label of more than 63 characters"
		}
	}
	if len(n.full) > validation.DNS1123SubdomainMaxLength {
		return name{}, "is longer than 253 characters when fully qualified"
	}
	return n, ""
}

// short is the name as statistics and texts show it.
func (n name) short() string {
	if n.service == "" {
		return n.full
	}
	return n.service + "." + n.namespace
}

// forms are the spellings of the name that reach the same server. The bare
// name belongs to the Pod's own namespace: a Service of that name elsewhere
// must not capture it.
func (n name) forms(namespace string) []string {
	if n.service == "" {
		return []string{n.full}
	}
	qualified := n.service + "." + n.namespace
	forms := []string{qualified, qualified + ".svc", n.full}
	if n.namespace == namespace {
		return append([]string{n.service}, forms...)
	}
	return forms
}

// within says whether the name is one that only the cluster's DNS knows.
func (n name) within(domain string) bool {
	return n.service != "" || n.full == domain || strings.HasSuffix(n.full, "."+domain)
}

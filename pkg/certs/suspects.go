package certs

import (
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldManager owns what we apply, and makerManager has made the ConfigMap.
const (
	fieldManager = "probeshift-certs"
	makerManager = "probeshift-certs-maker"
)

// suspects names who takes the CA away: the managers that own the field,
// else the last ones that wrote the object (kubectl replace leaves no trace at
// the field).
func suspects(managed []metav1.ManagedFieldsEntry) string {
	var owners, others []metav1.ManagedFieldsEntry
	for _, m := range managed {
		switch {
		case m.Manager == fieldManager, m.Manager == makerManager:
		case ownsBundle(m.FieldsV1):
			owners = append(owners, m)
		default:
			others = append(others, m)
		}
	}
	if len(owners) > 0 {
		return "field manager " + managerNames(owners)
	}
	slices.SortStableFunc(others, func(a, b metav1.ManagedFieldsEntry) int {
		if a.Time == nil || b.Time == nil {
			return 0
		}
		return b.Time.Compare(a.Time.Time)
	})
	if len(others) == 0 {
		return "somebody without a field manager"
	}
	return "probably " + managerNames(others[:min(2, len(others))])
}

func managerNames(managed []metav1.ManagedFieldsEntry) string {
	var names []string
	for _, m := range managed {
		if !slices.Contains(names, m.Manager) {
			names = append(names, m.Manager)
		}
	}
	return strings.Join(names, " or ")
}

// ownsBundle tells whether a set of fields holds the caBundle of a webhook, or
// the key of the ConfigMap.
func ownsBundle(fields *metav1.FieldsV1) bool {
	if fields == nil {
		return false
	}
	var set struct {
		Webhooks map[string]struct {
			ClientConfig map[string]json.RawMessage `json:"f:clientConfig"`
		} `json:"f:webhooks"`
		Data map[string]json.RawMessage `json:"f:data"`
	}
	// What does not parse owns nothing that we could name.
	if json.Unmarshal(fields.GetRawBytes(), &set) != nil {
		return false
	}
	for _, webhook := range set.Webhooks {
		if _, ok := webhook.ClientConfig["f:caBundle"]; ok {
			return true
		}
	}
	_, ok := set.Data["f:"+keyBundle]
	return ok
}

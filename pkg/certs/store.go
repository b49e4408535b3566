package certs

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errConflict says that the object has changed since it was read. The caller
// reads again.
var errConflict = errors.New("the object has changed since it was read")

// store reads and writes the two objects, always at the API server and never
// through a cache.
type store interface {
	// readSecret reads the Secret; a missing or unreadable one is no error.
	readSecret(ctx context.Context) (secret, error)
	// writeSecret writes a state on top of what was read, or creates the
	// Secret where none was. It returns errConflict when somebody was faster.
	writeSecret(ctx context.Context, on secret, state State) error
	// readConfiguration reads the configuration. One that is missing and
	// cannot be made, or has no entries, is an error.
	readConfiguration(ctx context.Context) (configuration, error)
	// applyBundles writes the bundles of the configuration's entries on top of
	// the version that was read and returns the new version. It returns
	// errConflict when somebody was faster.
	applyBundles(ctx context.Context, c configuration) (configuration, error)
}

// secret is the Secret as read.
type secret struct {
	// Version is the resourceVersion, empty where there is no Secret.
	Version string
	// State is nil where the Secret is missing or unreadable.
	State *State
	// Problem says why an existing Secret is unreadable.
	Problem error
	// Rotate and Revoke are the values of the annotations.
	Rotate, Revoke string
	// Date is the time of the API server's answer, zero when it gave none.
	Date time.Time

	object *corev1.Secret
}

// configuration is the object that the CA is published in, as read: the
// MutatingWebhookConfiguration, or discovery's ConfigMap.
type configuration struct {
	UID, Version string
	// Generation rises by one with each change of an entry. It is 0 where the
	// kind of object has none.
	Generation int64
	Entries    []entry

	managers []metav1.ManagedFieldsEntry
}

// entry is one webhook of the configuration, or the ConfigMap's key.
type entry struct {
	Name   string
	Host   string // the name that clients verify the leaf for
	Bundle Bundle
}

// trusted returns the certificates that every entry's bundle holds.
func (c configuration) trusted() map[string]bool {
	held := map[string]int{}
	for _, e := range c.Entries {
		for _, certificate := range e.Bundle.Certificates {
			held[certificate.SHA256]++
		}
	}
	all := map[string]bool{}
	for sha, count := range held {
		if count == len(c.Entries) {
			all[sha] = true
		}
	}
	return all
}

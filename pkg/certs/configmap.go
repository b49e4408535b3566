package certs

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// configMapStore publishes the CA in one key of a ConfigMap, which it makes
// where there is none: so a deletion is mended like a wipe. The ConfigMap is a
// configuration of one entry.
type configMapStore struct{ *api }

var _ apiStore = (*configMapStore)(nil)

func (s *configMapStore) watched() []watched {
	return []watched{s.watchedSecret(), {
		client: s.core.RESTClient(), resource: "configmaps", namespace: s.options.Namespace,
		name: s.options.ConfigMap, example: &corev1.ConfigMap{},
		read: func(version any) (configuration, bool) {
			object, ok := version.(*corev1.ConfigMap)
			if !ok {
				return configuration{}, false
			}
			return s.entryOf(object), true
		},
	}}
}

func (s *configMapStore) readConfiguration(ctx context.Context) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object, err := s.core.ConfigMaps(s.options.Namespace).Get(ctx, s.options.ConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return s.makeEmpty(ctx)
	}
	if err != nil {
		return configuration{}, s.explain("read", s.options.words().object, err)
	}
	return s.entryOf(object), nil
}

// makeEmpty makes the ConfigMap without the key, so that the key is only ever
// written on top of what was read. It is an apply too, by a manager of its own
// that owns nothing: a request with a name, unlike a create, is one that RBAC
// can allow for this ConfigMap alone; and where another replica was faster it
// changes nothing.
func (s *configMapStore) makeEmpty(ctx context.Context) (configuration, error) {
	object, err := s.apply(ctx, makerManager, configMapPatch{})
	if err != nil {
		return configuration{}, s.explain("create", s.options.words().object, err)
	}
	return s.entryOf(object), nil
}

func (s *configMapStore) applyBundles(ctx context.Context, c configuration) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	patch := configMapPatch{Metadata: patchMetadata{ResourceVersion: c.Version}, Data: map[string]string{}}
	for _, e := range c.Entries {
		patch.Data[e.Name] = string(e.Bundle.PEM())
	}
	object, err := s.apply(ctx, fieldManager, patch)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return configuration{}, errConflict
	}
	if err != nil {
		return configuration{}, s.explain("write "+keyBundle+" of", s.options.words().object, err)
	}
	return s.entryOf(object), nil
}

// configMapPatch is what we apply: at most the one key.
type configMapPatch struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   patchMetadata     `json:"metadata"`
	Data       map[string]string `json:"data,omitempty"`
}

func (s *configMapStore) apply(ctx context.Context, manager string, patch configMapPatch) (*corev1.ConfigMap, error) {
	patch.APIVersion, patch.Kind = corev1.SchemeGroupVersion.String(), "ConfigMap"
	patch.Metadata.Name = s.options.ConfigMap
	content, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encode the ConfigMap: %w", err)
	}
	force := true
	return s.core.ConfigMaps(s.options.Namespace).Patch(ctx, s.options.ConfigMap,
		types.ApplyPatchType, content, metav1.PatchOptions{FieldManager: manager, Force: &force})
}

// entryOf takes from the object what the rules look at. A ConfigMap has no
// generation.
func (s *configMapStore) entryOf(object *corev1.ConfigMap) configuration {
	return configuration{
		UID:     string(object.UID),
		Version: object.ResourceVersion,
		Entries: []entry{{
			Name:   keyBundle,
			Host:   s.options.Host(),
			Bundle: ParseBundle([]byte(object.Data[keyBundle])),
		}},
		managers: object.ManagedFields,
	}
}

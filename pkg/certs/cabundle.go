package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
)

// webhookStore publishes the CA in the caBundle of every webhook of a
// MutatingWebhookConfiguration.
type webhookStore struct {
	*api
	admission admissionclient.AdmissionregistrationV1Interface
}

var _ apiStore = (*webhookStore)(nil)

func (s *webhookStore) watched() []watched {
	return []watched{s.watchedSecret(), {
		client: s.admission.RESTClient(), resource: "mutatingwebhookconfigurations", namespace: metav1.NamespaceAll,
		name: s.options.Configuration, example: &admissionv1.MutatingWebhookConfiguration{},
		read: func(version any) (configuration, bool) {
			object, ok := version.(*admissionv1.MutatingWebhookConfiguration)
			if !ok {
				return configuration{}, false
			}
			return readConfiguration(object), true
		},
	}}
}

func (s *webhookStore) readConfiguration(ctx context.Context) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object, err := s.admission.MutatingWebhookConfigurations().Get(ctx, s.options.Configuration, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return configuration{}, fmt.Errorf("%s does not exist: apply deploy/webhook again, or name yours with --webhook-configuration", s.options.words().object)
	}
	if err != nil {
		return configuration{}, s.explain("read", s.options.words().object, err)
	}
	if len(object.Webhooks) == 0 {
		return configuration{}, fmt.Errorf("%s has no webhooks: apply deploy/webhook again", s.options.words().object)
	}
	return readConfiguration(object), nil
}

// bundlePatch is what we apply: of each entry the caBundle and nothing else.
type bundlePatch struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   patchMetadata    `json:"metadata"`
	Webhooks   []bundlePatchRow `json:"webhooks"`
}

type patchMetadata struct {
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

type bundlePatchRow struct {
	Name         string            `json:"name"`
	ClientConfig bundlePatchClient `json:"clientConfig"`
}

type bundlePatchClient struct {
	CABundle []byte `json:"caBundle"`
}

func (s *webhookStore) applyBundles(ctx context.Context, c configuration) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	patch := bundlePatch{
		APIVersion: admissionv1.SchemeGroupVersion.String(),
		Kind:       "MutatingWebhookConfiguration",
		Metadata:   patchMetadata{Name: s.options.Configuration, ResourceVersion: c.Version},
	}
	for _, e := range c.Entries {
		patch.Webhooks = append(patch.Webhooks, bundlePatchRow{
			Name: e.Name, ClientConfig: bundlePatchClient{CABundle: e.Bundle.PEM()},
		})
	}
	content, err := json.Marshal(patch)
	if err != nil {
		return configuration{}, fmt.Errorf("encode caBundle: %w", err)
	}
	force := true
	object, err := s.admission.MutatingWebhookConfigurations().Patch(ctx, s.options.Configuration,
		types.ApplyPatchType, content, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return configuration{}, errConflict
	}
	if err != nil {
		return configuration{}, s.explain("write the caBundle of", s.options.words().object, err)
	}
	return readConfiguration(object), nil
}

// readConfiguration takes from the object what the rules look at.
func readConfiguration(object *admissionv1.MutatingWebhookConfiguration) configuration {
	c := configuration{
		UID:        string(object.UID),
		Version:    object.ResourceVersion,
		Generation: object.Generation,
		managers:   object.ManagedFields,
	}
	for _, webhook := range object.Webhooks {
		c.Entries = append(c.Entries, entry{
			Name:   webhook.Name,
			Host:   hostOf(webhook.ClientConfig),
			Bundle: ParseBundle(webhook.ClientConfig.CABundle),
		})
	}
	return c
}

// hostOf returns the name for which API servers verify the leaf.
func hostOf(client admissionv1.WebhookClientConfig) string {
	if client.Service != nil {
		return client.Service.Name + "." + client.Service.Namespace + ".svc"
	}
	if client.URL == nil {
		return ""
	}
	// The API server has validated the URL; one that does not parse verifies
	// for nobody.
	parsed, err := url.Parse(*client.URL)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

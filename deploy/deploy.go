// Package deploy holds the manifests that programs of this repository read, so
// that what they show and prove is what is deployed.
package deploy

import (
	_ "embed"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

//go:embed webhook/70-mutatingwebhookconfiguration.yaml
var configuration []byte

// ConfigurationAt is the webhook's configuration as it is deployed, but for the
// Service: the entries call a URL, the base of which is given, and trust the CAs
// of caBundle.
func ConfigurationAt(url string, caBundle []byte) (*admissionv1.MutatingWebhookConfiguration, error) {
	var c admissionv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(configuration, &c); err != nil {
		return nil, fmt.Errorf("webhook/70-mutatingwebhookconfiguration.yaml: %w", err)
	}
	for i := range c.Webhooks {
		client := &c.Webhooks[i].ClientConfig
		full := url + *client.Service.Path
		*client = admissionv1.WebhookClientConfig{URL: &full, CABundle: caBundle}
	}
	return &c, nil
}

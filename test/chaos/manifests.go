package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The names of the manifests that this program needs to know.
const (
	webhookNamespace  = "probeshift"
	webhookAccount    = "probeshift-webhook"
	secretName        = "probeshift-ca"
	configurationName = "grpc-probeshift"
	loadNamespace     = "shop"
)

// manifests are the files of deploy/webhook that mean something without a
// kubelet: everything but the Deployment and what belongs to it.
type manifests struct {
	objects       []*unstructured.Unstructured
	configuration *admissionv1.MutatingWebhookConfiguration
}

// readManifests reads the files. The Service leads to a name of this machine in
// place of Pods, and the configuration to the port of the forwarder; the rest is
// as it is deployed.
func readManifests(dir string, port int32) (manifests, error) {
	var m manifests
	for _, name := range []string{
		"10-namespace.yaml", "20-serviceaccount.yaml", "30-rbac.yaml", "40-service.yaml", "70-mutatingwebhookconfiguration.yaml",
	} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return m, fmt.Errorf("%w (another directory is given by --manifests)", err)
		}
		for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), len(content)); ; {
			var object unstructured.Unstructured
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return m, fmt.Errorf("%s: %w", name, err)
			}
			if object.Object == nil {
				continue // a comment between two objects
			}
			if err := m.add(&object, port); err != nil {
				return m, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return m, nil
}

// add takes one object.
func (m *manifests) add(object *unstructured.Unstructured, port int32) error {
	switch object.GetKind() {
	case "Service":
		object.Object["spec"] = map[string]any{"type": string(corev1.ServiceTypeExternalName), "externalName": "127.0.0.1"}
	case "MutatingWebhookConfiguration":
		configuration := &admissionv1.MutatingWebhookConfiguration{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, configuration); err != nil {
			return err
		}
		for i := range configuration.Webhooks {
			configuration.Webhooks[i].ClientConfig.Service.Port = &port
		}
		m.configuration = configuration
		changed, err := runtime.DefaultUnstructuredConverter.ToUnstructured(configuration)
		if err != nil {
			return err
		}
		object.Object = changed
	default:
	}
	m.objects = append(m.objects, object)
	return nil
}

// apply applies the manifests as kubectl does, and makes the namespace whose
// Pods are created.
func (m manifests) apply(ctx context.Context, p *plane) error {
	c, err := client.New(p.config, client.Options{})
	if err != nil {
		return err
	}
	for _, object := range m.objects {
		object.SetCreationTimestamp(metav1.Time{})
		unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl")); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	_, err = p.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: loadNamespace, Labels: map[string]string{"probeshift.dev/webhook": "enabled"},
	}}, metav1.CreateOptions{})
	return err
}

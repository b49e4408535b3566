// Package lb holds the example manifests of the load-balancing sidecar, so that
// what tests inject and run is what a user applies.
package lb

import (
	"bufio"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// Example is what one file holds, as it is written: with no defaults.
type Example struct {
	// File is the file's name in this folder.
	File        string
	Services    []corev1.Service
	Deployments []appsv1.Deployment
}

// All reads every file, in the order of their names.
func All() ([]Example, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the examples: %w", err)
	}
	var all []Example
	for _, entry := range entries {
		e, err := Read(entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Read reads one file. Kinds and fields that nobody knows are errors.
func Read(file string) (Example, error) {
	e := Example{File: file}
	content, err := files.ReadFile(file)
	if err != nil {
		return e, err
	}
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return e, nil
		}
		if err == nil {
			err = e.add(document)
		}
		if err != nil {
			return e, fmt.Errorf("%s: %w", file, err)
		}
	}
}

// add reads one document.
func (e *Example) add(document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "Service":
		var s corev1.Service
		if err := yaml.UnmarshalStrict(document, &s); err != nil {
			return fmt.Errorf("a Service: %w", err)
		}
		e.Services = append(e.Services, s)
	case "Deployment":
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict(document, &d); err != nil {
			return fmt.Errorf("a Deployment: %w", err)
		}
		e.Deployments = append(e.Deployments, d)
	default:
		return fmt.Errorf("a document of kind %q, where a Service or a Deployment is expected", kind.Kind)
	}
	return nil
}

// Pod is a Pod of a Deployment as the API server hands it to a webhook: with its
// dnsPolicy, the default that the sidecar looks at.
func Pod(d appsv1.Deployment) *corev1.Pod {
	template := d.Spec.Template.DeepCopy()
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: template.ObjectMeta,
		Spec:       template.Spec,
	}
	pod.Name, pod.Namespace = d.Name, d.Namespace
	if pod.Spec.DNSPolicy == "" {
		pod.Spec.DNSPolicy = corev1.DNSClusterFirst
	}
	return pod
}

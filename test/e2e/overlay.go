package main

import (
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// imageName is the name that the manifests give the webhook's image.
const imageName = "localhost/probeshift/webhook"

// form is what the manifests are changed into.
type form string

const (
	// installed is as they are, with the image of the environment.
	installed form = "installed"
	// newer is what an upgrade brings: a label, and another flag.
	newer form = "newer"
	// withTLSProbes has the component that rewrites TLS probes.
	withTLSProbes form = "tls-probes"
)

// overlay writes a kustomization above the manifests and returns its
// directory; where there is nothing to change it is that of the manifests.
func (l *life) overlay(f form) (string, error) {
	if l.image == "" && f == installed {
		return l.base, nil
	}
	dir := filepath.Join(l.work, string(f))
	root, err := relative(dir, l.base)
	if err != nil {
		return "", err
	}
	kustomization := map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{root},
	}
	if l.image != "" {
		kustomization["images"] = []map[string]string{image(l.image)}
	}
	switch f {
	case newer:
		kustomization["labels"] = []map[string]any{{
			"pairs": map[string]string{"app.kubernetes.io/version": "newer"}, "includeTemplates": true,
		}}
		kustomization["patches"] = []map[string]any{{
			"target": map[string]string{"kind": "Deployment"},
			"patch":  `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--settle-time=` + settle.String() + `"}]`,
		}}
	case installed:
	case withTLSProbes:
		kustomization["components"] = []string{filepath.Join(root, "components", "grpc-probe-tls")}
	}
	content, err := yaml.Marshal(kustomization)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600)
}

// image is the entry of a kustomization that puts another image in the place of
// that of the manifests.
func image(reference string) map[string]string {
	entry := map[string]string{"name": imageName}
	name, digest, found := strings.Cut(reference, "@")
	if found {
		entry["digest"] = digest
	}
	if at := strings.LastIndex(name, ":"); at > strings.LastIndex(name, "/") {
		name, entry["newTag"] = name[:at], name[at+1:]
	}
	entry["newName"] = name
	return entry
}

// relative is the path from dir, which need not exist, to another directory.
// Kustomize takes no absolute one.
func relative(dir, to string) (string, error) {
	absolute, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	if absolute, err = filepath.EvalSymlinks(absolute); err != nil {
		return "", err
	}
	from, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	return filepath.Rel(filepath.Join(from, filepath.Base(dir)), absolute)
}

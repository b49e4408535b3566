package main

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// expectedFile lists the manifests, and what is expected of each.
const expectedFile = "expected.yaml"

// example is a manifest and what is expected of its Pod.
type example struct {
	File string `json:"file"`
	// Probes are the exec probes of the tool, keyed by "container kind"; the
	// value is in the words of change.String.
	Probes map[string]string `json:"probes"`
	// Warnings are the beginnings of what the API server says to who creates
	// the Pod, in order.
	Warnings []string `json:"warnings"`

	pod *corev1.Pod
}

// readExamples reads expected.yaml and the manifests that it names. A manifest
// that it does not name is an error, so that none is forgotten.
func readExamples(dir fs.FS) ([]example, error) {
	text, err := fs.ReadFile(dir, expectedFile)
	if err != nil {
		return nil, fmt.Errorf("reading what is expected of the examples: %w", err)
	}
	var examples []example
	if err := yaml.UnmarshalStrict(text, &examples); err != nil {
		return nil, fmt.Errorf("reading %s: %w", expectedFile, err)
	}
	named := map[string]bool{expectedFile: true}
	for i := range examples {
		e := &examples[i]
		named[e.File] = true
		if e.pod, err = readPod(dir, e.File); err != nil {
			return nil, err
		}
	}
	files, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing the examples: %w", err)
	}
	for _, file := range files {
		if !named[file] {
			return nil, fmt.Errorf("%s does not say what is expected of %s: add an entry", expectedFile, file)
		}
	}
	return examples, nil
}

// readPod reads a manifest and makes its Pod.
func readPod(dir fs.FS, file string) (*corev1.Pod, error) {
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, fmt.Errorf("reading an example: %w", err)
	}
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	pod, err := podOf(object)
	if err != nil {
		return nil, fmt.Errorf("making the Pod of %s: %w", file, err)
	}
	return pod, nil
}

// unexpected tells, a sentence each, what is not as expected.
func (e example) unexpected(changes []change, warnings []string) []string {
	var problems []string
	missing := maps.Clone(e.Probes)
	for _, c := range changes {
		probe := c.container + " " + c.kind
		delete(missing, probe)
		if got, want := c.String(), e.Probes[probe]; got != want {
			problems = append(problems, fmt.Sprintf("%s: %s is %q, expected was %q", e.File, probe, got, want))
		}
	}
	for _, probe := range slices.Sorted(maps.Keys(missing)) {
		problems = append(problems, fmt.Sprintf("%s: there is no exec probe %s, expected was %q", e.File, probe, missing[probe]))
	}
	if !slices.EqualFunc(warnings, e.Warnings, strings.HasPrefix) {
		problems = append(problems, fmt.Sprintf("%s: the warnings are %s, expected were %s", e.File, list(warnings), list(e.Warnings)))
	}
	return problems
}

func list(lines []string) string {
	if len(lines) == 0 {
		return "none"
	}
	return fmt.Sprintf("%q", strings.Join(lines, "; "))
}

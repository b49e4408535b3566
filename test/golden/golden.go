// Package golden reads and writes golden cases: a folder each, named by a
// sentence, with the Pod that a person wrote and the files that the rules make
// of it.
package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// Case is what every case has.
type Case struct {
	// Name is the folder's name.
	Name string
	// JSON is the Pod as JSON, with nothing added to what pod.yaml holds.
	JSON []byte
	// Pod is the same Pod, decoded.
	Pod *corev1.Pod
	// Patch is the content of patch.json, empty where there is no such file yet.
	Patch string
}

// Folder is the folder of a case.
type Folder struct {
	Case
	files fs.FS
}

// Load reads every folder, in the order of their names, and has read make a case
// of each with what else it holds. Fields of a Pod that nobody knows are errors,
// so that a typing error does not make a case empty.
func Load[C any](folders fs.FS, read func(Folder) (C, error)) ([]C, error) {
	entries, err := fs.ReadDir(folders, ".")
	if err != nil {
		return nil, fmt.Errorf("list the cases: %w", err)
	}
	all := make([]C, 0, len(entries))
	for _, entry := range entries {
		c, err := load(folders, entry.Name(), read)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", entry.Name(), err)
		}
		all = append(all, c)
	}
	return all, nil
}

func load[C any](folders fs.FS, name string, read func(Folder) (C, error)) (c C, err error) {
	f := Folder{files: folders}
	f.Name = name
	if f.JSON, f.Pod, err = f.pod(); err != nil {
		return c, fmt.Errorf("pod.yaml: %w", err)
	}
	if f.Patch, err = f.Text("patch.json"); err != nil {
		return c, err
	}
	return read(f)
}

// pod reads pod.yaml: as JSON and decoded.
func (f Folder) pod() ([]byte, *corev1.Pod, error) {
	written, err := fs.ReadFile(f.files, path.Join(f.Name, "pod.yaml"))
	if err != nil {
		return nil, nil, err
	}
	object, err := sigsyaml.YAMLToJSONStrict(written)
	if err != nil {
		return nil, nil, err
	}
	// From the JSON, as an API server would read it: YAML's own reader would
	// take off for a string where a string is wanted.
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.DisallowUnknownFields()
	pod := &corev1.Pod{}
	if err := decoder.Decode(pod); err != nil {
		return nil, nil, err
	}
	return object, pod, nil
}

// Text reads a file that need not be there: its text is empty then.
func (f Folder) Text(file string) (string, error) {
	content, err := fs.ReadFile(f.files, path.Join(f.Name, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return string(content), nil
}

// Settings reads a YAML file that need not be there. Fields that nobody knows
// are errors.
func (f Folder) Settings(file string, into any) error {
	text, err := f.Text(file)
	if err != nil {
		return err
	}
	if err := sigsyaml.UnmarshalStrict([]byte(text), into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// JSON is the content of a golden file of JSON.
func JSON(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return out.String(), nil
}

// YAML is the content of a golden file of YAML, with the fields in the order of
// the type's.
func YAML(value any) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return out.String(), nil
}

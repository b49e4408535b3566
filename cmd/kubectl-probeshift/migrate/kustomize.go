package migrate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/manifest"
)

/*
A kustomize patch holds a part of an object. What shows that a probe may be
rewritten stands in another file, so a patch is left. And while a patch writes to a
probe, the probe in its base has to stay exec: the patched object would have both
handlers, or the patch would not apply.
*/

// kustomizationNames are the names that kustomize looks for, in its order.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// kustomization is the part of a kustomization file that matters here.
type kustomization struct {
	// file is its path.
	file                  string
	Resources             []string `yaml:"resources"`
	Bases                 []string `yaml:"bases"`
	Components            []string `yaml:"components"`
	Patches               []patch  `yaml:"patches"`
	PatchesStrategicMerge []string `yaml:"patchesStrategicMerge"`
	PatchesJSON6902       []patch  `yaml:"patchesJson6902"`
	// Replacements and the rest write to objects too.
	Replacements      []replacement     `yaml:"replacements"`
	CommonAnnotations map[string]string `yaml:"commonAnnotations"`
	NamePrefix        string            `yaml:"namePrefix"`
	NameSuffix        string            `yaml:"nameSuffix"`
}

// patch is a patch with its target, in a file or inline.
type patch struct {
	Path   string  `yaml:"path"`
	Patch  string  `yaml:"patch"`
	Target *target `yaml:"target"`
}

// target names objects; its texts are regular expressions, and what else it says
// narrows them.
type target struct {
	Kind string `yaml:"kind"`
	Name string `yaml:"name"`
}

// replacement copies a value into fields, inline or in a file.
type replacement struct {
	Path    string `yaml:"path"`
	Targets []struct {
		Select     target   `yaml:"select"`
		FieldPaths []string `yaml:"fieldPaths"`
	} `yaml:"targets"`
}

// local are the files and directories that a kustomization names.
func (k *kustomization) local() []string {
	names := slices.Concat(k.Resources, k.Bases, k.Components, k.PatchesStrategicMerge)
	for _, p := range slices.Concat(k.Patches, k.PatchesJSON6902) {
		if p.Path != "" {
			names = append(names, p.Path)
		}
	}
	return names
}

// all are the patches, those without a target included.
func (k *kustomization) all() []patch {
	patches := slices.Concat(k.Patches, k.PatchesJSON6902)
	for _, text := range k.PatchesStrategicMerge {
		if _, err := os.Stat(filepath.Join(filepath.Dir(k.file), text)); err == nil {
			patches = append(patches, patch{Path: text})
		} else {
			patches = append(patches, patch{Patch: text})
		}
	}
	return patches
}

// kustomizations are those seen, by their directories; nil where there is none.
type kustomizations struct {
	byDir map[string]*kustomization
	// looked are the directories above which look has looked.
	looked map[string]bool
}

// in is the kustomization of a directory, or nil. One that does not parse counts
// as none: kustomize would refuse it.
func (k *kustomizations) in(dir string) *kustomization {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	if known, ok := k.byDir[dir]; ok {
		return known
	}
	k.byDir[dir] = nil
	for _, name := range kustomizationNames {
		file := filepath.Join(dir, name)
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		found := kustomization{file: file}
		if decode(yaml.NewDecoder(bytes.NewReader(content)), &found) == nil {
			k.byDir[dir] = &found
		}
		break
	}
	return k.byDir[dir]
}

// look reads the kustomizations that may name files of a directory: its own, and
// those above it up to the root of the repository or of the file system.
func (k *kustomizations) look(dir string) {
	for !k.looked[dir] {
		k.looked[dir] = true
		k.in(dir)
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}

// patchFiles are the files that kustomizations name as patches.
func (k *kustomizations) patchFiles() map[string]bool {
	files := map[string]bool{}
	for _, found := range k.byDir {
		if found == nil {
			continue
		}
		for _, p := range found.all() {
			if p.Path != "" {
				files[filepath.Join(filepath.Dir(found.file), p.Path)] = true
			}
		}
	}
	return files
}

// held are the probes that must stay exec because a kustomization writes to them,
// or to what they are judged by.
func (k *kustomizations) held(shown func(string) string) (all []manifest.Held) {
	renamed := false
	for _, found := range k.byDir {
		if found == nil {
			continue
		}
		renamed = renamed || found.NamePrefix+found.NameSuffix != ""
		for _, p := range found.all() {
			content, by := []byte(p.Patch), found.file
			if p.Path != "" {
				by = filepath.Join(filepath.Dir(found.file), p.Path)
				var err error
				if content, err = os.ReadFile(by); err != nil {
					continue
				}
			}
			all = append(all, p.holds(content, shown(by))...)
		}
		for _, r := range found.replacements() {
			all = append(all, r.holds(shown(found.file))...)
		}
		for key := range found.CommonAnnotations {
			if manifest.DecidingAnnotation(key) {
				all = append(all, manifest.Held{By: shown(found.file)})
			}
		}
	}
	for i := range all {
		if renamed { // a patch may name an object as it was or as it is
			all[i].Name = nil
		}
	}
	slices.SortStableFunc(all, func(a, b manifest.Held) int { return strings.Compare(a.By, b.By) })
	return all
}

// replacements are those of a kustomization, of which a file may hold one or a list.
func (k *kustomization) replacements() (all []replacement) {
	for _, r := range k.Replacements {
		if r.Path == "" {
			all = append(all, r)
			continue
		}
		content, err := os.ReadFile(filepath.Join(filepath.Dir(k.file), r.Path))
		if err != nil {
			continue
		}
		var one replacement
		var list []replacement
		read := func(into any) error { return decode(yaml.NewDecoder(bytes.NewReader(content)), into) }
		if read(&list) != nil && read(&one) == nil {
			list = append(list, one)
		}
		all = append(all, list...)
	}
	return all
}

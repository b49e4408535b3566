package migrate

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/probeshift/probeshift/pkg/manifest"
	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
A kustomize patch holds a part of an object. What shows that a probe may be
rewritten stands in another file, so a patch is left unless no evidence is asked
for. And while a patch still writes to an exec handler, the probe in its base has
to stay exec: the patched object would have both handlers, or the patch would not
apply.
*/

// kustomizationNames are the names that kustomize looks for, in its order.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// patchesAbove is how many directories above a file are looked at for a
// kustomization that names it as a patch.
const patchesAbove = 3

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
}

// patch is a patch with its target, in a file or inline.
type patch struct {
	Path   string `yaml:"path"`
	Patch  string `yaml:"patch"`
	Target struct {
		Kind string `yaml:"kind"`
		Name string `yaml:"name"`
	} `yaml:"target"`
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
type kustomizations struct{ byDir map[string]*kustomization }

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
		if yaml.Unmarshal(content, &found) == nil {
			k.byDir[dir] = &found
		}
		break
	}
	return k.byDir[dir]
}

// look reads the kustomizations that may name files of a directory.
func (k *kustomizations) look(dir string) {
	for range patchesAbove {
		if _, seen := k.byDir[dir]; seen {
			return
		}
		k.in(dir)
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

// held are the probes that must stay exec because a patch that is left writes to
// them.
func (k *kustomizations) held(options manifest.Options, shown func(string) string) []manifest.Held {
	var all []manifest.Held
	options.Patch = true
	for _, found := range k.byDir {
		if found == nil {
			continue
		}
		for _, p := range found.all() {
			content, by := []byte(p.Patch), found.file
			if p.Path != "" {
				by = filepath.Join(filepath.Dir(found.file), p.Path)
				var err error
				if content, err = os.ReadFile(by); err != nil {
					continue
				}
			}
			result, err := manifest.Edit(content, options)
			if err != nil {
				continue // told when the file itself is edited
			}
			inline := p.Path == ""
			for _, f := range result.Findings {
				if inline || f.Outcome != mutate.Rewritten {
					all = append(all, hold(f, p, shown(by)))
				}
			}
		}
	}
	return all
}

var probeInPath = regexp.MustCompile(`(liveness|readiness|startup)Probe`)

// hold names what a patch, of which a finding was made, writes to.
func hold(f manifest.Finding, p patch, by string) manifest.Held {
	h := manifest.Held{Kind: f.Kind, Container: f.Container, Probe: f.Probe, By: by}
	name := regexp.QuoteMeta(f.Name)
	if p.Target.Kind != "" || p.Target.Name != "" {
		h.Kind, name = p.Target.Kind, p.Target.Name
	}
	if pattern, err := regexp.Compile("^(?:" + name + ")$"); err == nil && name != "" {
		h.Name = pattern
	}
	if m := probeInPath.FindStringSubmatch(f.Detail); h.Probe == "" && m != nil {
		h.Probe = mutate.ProbeKind(m[1])
	}
	return h
}

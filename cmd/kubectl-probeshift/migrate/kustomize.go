package migrate

import (
	"bytes"
	"io/fs"
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
	// Transformers may be anything, a PatchTransformer or a program among them, and
	// are not looked into. Vars become their values in commands, but not in grpc.
	Transformers []any  `yaml:"transformers"`
	Vars         []any  `yaml:"vars"`
	Kind         string `yaml:"kind"`
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

// kustomizations are those that hold probes, by their directories; nil where there is
// none.
type kustomizations struct {
	byDir map[string]*kustomization
	// known are all that were read, and places where the paths lead that they name.
	known  map[string]*kustomization
	places map[string]place
	// looked are the directories above which look has looked, and repositories the
	// roots of repositories that it came to.
	looked       map[string]bool
	repositories []string
}

// place is where a path leads once links are resolved; it is empty where it leads to
// nothing here.
type place struct {
	path  string
	isDir bool
}

func (k *kustomizations) placeOf(path string) place {
	at, known := k.places[path]
	if known {
		return at
	}
	if resolved, err := resolve(path); err == nil {
		info, err := os.Stat(resolved)
		at = place{resolved, err == nil && info.IsDir()}
	}
	k.places[path] = at
	return at
}

func newKustomizations() kustomizations {
	return kustomizations{byDir: map[string]*kustomization{}, known: map[string]*kustomization{},
		places: map[string]place{}, looked: map[string]bool{}}
}

// in is the kustomization of a directory, or nil, which holds probes from now on.
func (k *kustomizations) in(dir string) *kustomization {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	k.byDir[dir] = k.read(dir)
	return k.byDir[dir]
}

// read is the kustomization of a directory, or nil. One that does not parse counts
// as none: kustomize would refuse it.
func (k *kustomizations) read(dir string) *kustomization {
	if known, ok := k.known[dir]; ok {
		return known
	}
	k.known[dir] = nil
	for _, name := range kustomizationNames {
		file := filepath.Join(dir, name)
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		found := kustomization{file: file}
		if decode(yaml.NewDecoder(bytes.NewReader(content)), &found) == nil {
			k.known[dir] = &found
		}
		break
	}
	return k.known[dir]
}

// built is what a kustomization builds: the files that are its resources, and all
// kustomizations that it is made of, itself the first.
func (k *kustomizations) built(top *kustomization) (files map[string]bool, parts []*kustomization) {
	files = map[string]bool{}
	parts, seen := []*kustomization{top}, map[*kustomization]bool{top: true}
	for i := 0; i < len(parts); i++ {
		dir := k.placeOf(filepath.Dir(parts[i].file)).path
		for _, name := range slices.Concat(parts[i].Resources, parts[i].Bases, parts[i].Components) {
			at := k.placeOf(filepath.Join(dir, name))
			if !at.isDir {
				files[at.path] = true
			} else if next := k.read(at.path); next != nil && !seen[next] {
				seen[next] = true
				parts = append(parts, next)
			}
		}
	}
	return files, parts
}

// component is the kind of a kustomization that writes to the objects of those that
// name it.
const component = "Component"

// look reads the kustomizations that may name files of a directory: its own, and
// those above it up to the root of the repository or of the file system.
func (k *kustomizations) look(dir string) {
	for !k.looked[dir] {
		k.looked[dir] = true
		k.in(dir)
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			k.repositories = append(k.repositories, dir)
			return
		}
		dir = filepath.Dir(dir)
	}
}

// maxSearched is how many files and directories of a repository are searched for
// kustomizations; that takes less than a second.
const maxSearched = 50_000

// unsearched are directories in which nobody keeps kustomizations of their own.
var unsearched = []string{".git", "node_modules", "vendor"}

// search takes in the kustomizations anywhere in a repository that build one of the
// files, with all that they are made of: an overlay stands beside its base, and not
// above it. left is how many files and directories may be looked at; complete is false
// where there are more.
func (k *kustomizations) search(root string, files map[string]bool, left int) (complete bool) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error { // what cannot be read is passed over
		if left--; left < 0 {
			return fs.SkipAll
		}
		switch {
		case err != nil, entry.IsDir() && path != root && slices.Contains(unsearched, entry.Name()):
			return fs.SkipDir
		case !slices.Contains(kustomizationNames, entry.Name()):
			return nil
		}
		k.addBuilder(filepath.Dir(path), files)
		return nil
	})
	return left >= 0
}

// addBuilder takes in the kustomization of a directory, if it builds one of the files.
func (k *kustomizations) addBuilder(dir string, files map[string]bool) {
	found := k.read(dir)
	if found == nil {
		return
	}
	built, parts := k.built(found)
	for file := range built {
		if files[file] {
			for _, part := range parts {
				k.byDir[filepath.Dir(part.file)] = part
			}
			return
		}
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

// held are probes that must stay exec: in some files, and all below some directories,
// or everywhere where files is nil.
type held struct {
	manifest.Held
	files map[string]bool
	dirs  []string
}

// heldIn are those that must stay in a file.
func heldIn(all []held, file string) (some []manifest.Held) {
	for _, h := range all {
		isBelow := func(dir string) bool { return strings.HasPrefix(file, dir+string(filepath.Separator)) }
		if h.files == nil || h.files[file] || slices.ContainsFunc(h.dirs, isBelow) {
			some = append(some, h.Held)
		}
	}
	return some
}

// held are the probes that must stay exec because a kustomization writes to them,
// or to what they are judged by.
func (k *kustomizations) held(shown func(string) string) (all []held) {
	renamed := false
	for _, found := range k.byDir {
		if found != nil {
			renamed = renamed || found.NamePrefix+found.NameSuffix != ""
			all = append(all, k.heldBy(found, shown)...)
		}
	}
	for i := range all {
		if renamed { // a patch may name an object as it was or as it is
			all[i].Name = nil
		}
	}
	slices.SortStableFunc(all, func(a, b held) int { return strings.Compare(a.By, b.By) })
	return all
}

// heldBy are those of one kustomization.
func (k *kustomizations) heldBy(found *kustomization, shown func(string) string) (all []held) {
	add := func(more ...manifest.Held) {
		for _, h := range more {
			all = append(all, held{Held: h})
		}
	}
	by := shown(found.file)
	for _, p := range found.all() {
		content, by := []byte(p.Patch), by
		if p.Path != "" {
			file := filepath.Join(filepath.Dir(found.file), p.Path)
			var err error
			if content, err = os.ReadFile(file); err != nil {
				continue
			}
			by = shown(file)
		}
		add(p.holds(content, by)...)
	}
	for _, r := range found.replacements() {
		add(r.holds(by)...)
	}
	for key := range found.CommonAnnotations {
		if manifest.DecidingAnnotation(key) {
			add(manifest.Held{By: by})
		}
	}
	if len(found.Transformers) > 0 {
		all = append(all, k.transformed(found, by))
	}
	if len(found.Vars) > 0 { // those of a base count in what is built of it too
		add(manifest.Held{Variables: true, By: by + ": its vars are put into commands, but not into grpc probes"})
	}
	return all
}

// transformed are the probes that the transformers of a kustomization may write to:
// those that it builds, and those in files that stand by it, which may be patches of
// the transformers.
func (k *kustomizations) transformed(by *kustomization, shown string) held {
	h := held{Held: manifest.Held{By: shown + ": what its transformers write is not looked at"}}
	if by.Kind == component {
		return h
	}
	h.files, _ = k.built(by)
	dir := filepath.Dir(by.file)
	h.dirs = []string{k.placeOf(dir).path}
	for _, name := range by.Transformers {
		if text, is := name.(string); is && !strings.Contains(text, "\n") {
			if at := k.placeOf(filepath.Join(dir, text)); at.isDir {
				h.dirs = append(h.dirs, at.path)
			}
		}
	}
	return h
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

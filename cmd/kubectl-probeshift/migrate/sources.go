package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stdin is the name of stdin, as -f takes it.
const stdin = "-"

// source is a file to read.
type source struct {
	// path is the file as it is shown, real where it is once links are resolved.
	path, real string
	// patch says that a kustomization names it as a patch.
	patch bool
	// pipe says that it is no regular file: it can be read, but not replaced.
	pipe bool
}

// extensions are those of the files that are read in directories. A file that is
// named is read whatever its name.
var extensions = []string{".yaml", ".yml", ".json", ".tpl", ".tmpl", ".gotmpl", ".j2"}

// sources finds the files to read, each once, in the order of the names given.
type sources struct {
	all            []source
	seen           map[string]bool
	realDirs       map[string]string
	kustomizations kustomizations
	// found counts what was found, with what was there already.
	found int
	// notes are what a person should know, and errs what could not be read; the rest
	// is read all the same.
	notes []string
	errs  []error
}

// findSources finds the files behind the names.
func findSources(names []string) (*sources, error) {
	s := &sources{seen: map[string]bool{}, realDirs: map[string]string{}, kustomizations: newKustomizations()}
	for _, name := range names {
		if name == stdin {
			if !s.seen[stdin] {
				s.seen[stdin] = true
				s.all = append(s.all, source{path: stdin, real: stdin})
			}
			continue
		}
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file or directory", name)
		}
		if err != nil {
			return nil, err
		}
		first, found, noted := len(s.all), s.found, len(s.notes)
		switch {
		case info.Mode().IsRegular():
			err = s.addFile(name)
		case !info.IsDir():
			s.addPipe(name)
		default:
			err = s.addDirectory(name)
			if err == nil && s.found == found {
				err = fmt.Errorf("%s: no file to read is in it: write manifests as *.yaml, *.yml or *.json, or name other files", name)
				for _, note := range s.notes[noted:] {
					err = errors.Join(err, errors.New(note))
				}
			}
			slices.SortFunc(s.all[first:], func(a, b source) int { return strings.Compare(a.path, b.path) })
		}
		if err != nil {
			return nil, err
		}
	}
	s.findOverlays()
	patches := s.kustomizations.patchFiles()
	for i := range s.all {
		s.all[i].patch = patches[s.all[i].real]
	}
	return s, nil
}

// findOverlays takes in the kustomizations that build one of the files, wherever they
// stand in its repository.
func (s *sources) findOverlays() {
	files := map[string]bool{}
	for _, each := range s.all {
		files[each.real] = true
	}
	for _, root := range s.kustomizations.repositories {
		if !s.kustomizations.search(root, files, maxSearched) {
			s.notes = append(s.notes, fmt.Sprintf("%s: overlays that patch these manifests were looked for in the first %d files only: build them with kustomize before and after",
				shownPath(root), maxSearched))
		}
	}
}

// addDirectory adds the files below a directory, and the local resources of
// kustomizations in it that stand elsewhere.
func (s *sources) addDirectory(root string) error {
	if info, err := os.Lstat(root); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // WalkDir does not follow its root
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			err = fmt.Errorf("read %s: %w", path, plainCause(err))
			if entry == nil || path == root {
				return err
			}
			s.errs = append(s.errs, err)
			return fs.SkipDir
		}
		name := entry.Name()
		switch {
		case entry.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(name, ".") && leadsToDirectory(path):
			s.notes = append(s.notes, path+": a link to a directory is not followed: name it with -f if it belongs to the manifests")
			return nil
		case entry.IsDir() && path != root && strings.HasPrefix(name, ".") && name != "..":
			return fs.SkipDir
		case entry.IsDir():
			return s.addResources(path)
		case !slices.Contains(extensions, strings.ToLower(filepath.Ext(name))):
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			if !leadsToFile(path) {
				return nil
			}
		case !entry.Type().IsRegular():
			return nil
		default:
			return s.addRegular(path)
		}
		return s.addFile(path)
	})
}

func leadsToDirectory(link string) bool {
	info, err := os.Stat(link)
	return err == nil && info.IsDir()
}

// leadsToFile says whether a link leads to a file: not into nothing, and not to a
// directory, which may lead in circles.
func leadsToFile(link string) bool {
	info, err := os.Stat(link)
	return err == nil && !info.IsDir()
}

// addRegular adds a file that is no link, at the cost of a look at its directory
// once for all of its files.
func (s *sources) addRegular(path string) error {
	dir, name := filepath.Split(path)
	target, known := s.realDirs[dir]
	if !known {
		var err error
		if target, err = resolve(filepath.Clean(dir)); err != nil {
			return err
		}
		s.realDirs[dir] = target
	}
	s.add(path, filepath.Join(target, name))
	return nil
}

// resolve is where a path leads once links are followed.
func resolve(path string) (string, error) {
	followed, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", path, err)
	}
	return filepath.Abs(followed)
}

// addFile adds a file, unless it is there already by this name or another.
func (s *sources) addFile(path string) error {
	resolved, err := resolve(filepath.Clean(path))
	if err == nil {
		s.add(path, resolved)
	}
	return err
}

// addPipe adds what is read once, by its own name: a pipe of the shell leads to no
// file.
func (s *sources) addPipe(name string) {
	if !s.seen[name] {
		s.seen[name] = true
		s.all = append(s.all, source{path: name, real: name, pipe: true})
	}
}

func (s *sources) add(path, resolved string) {
	s.found++
	if s.seen[resolved] {
		return
	}
	s.seen[resolved] = true
	s.all = append(s.all, source{path: filepath.Clean(path), real: resolved})
	s.kustomizations.look(filepath.Dir(resolved))
}

// addResources adds what the kustomization of a directory, if there is one, names
// in other directories.
func (s *sources) addResources(dir string) error {
	k := s.kustomizations.in(dir)
	if k == nil {
		return nil
	}
	for _, name := range k.local() {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			continue // generated, or remote: not ours to build
		}
		if !info.IsDir() {
			err = s.addFile(path)
		} else if inside, relErr := filepath.Rel(dir, path); relErr != nil || strings.HasPrefix(inside, "..") {
			if full, absErr := filepath.Abs(path); absErr == nil && !s.seen[full+"/"] {
				s.seen[full+"/"] = true
				err = s.addDirectory(path)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

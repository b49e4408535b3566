package migrate

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// diffs writes diffs as patch -p1 and git apply read them. Neither takes an absolute
// path or one that leads up, so all paths begin at one directory that holds all the
// files; mostly that is the working directory.
type diffs struct {
	// dir is the working directory without links, and base where the paths begin.
	dir, base string
}

// diffsOf are the diffs of these files.
func diffsOf(all []source) diffs {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return diffs{}
	}
	d := diffs{dir: dir, base: dir}
	for _, s := range all {
		if s.path == stdin {
			continue
		}
		for path := d.place(s.path); !isBelow(d.base, path) && filepath.Dir(d.base) != d.base; {
			d.base = filepath.Dir(d.base)
		}
	}
	return d
}

// place is the absolute path of a file.
func (d diffs) place(path string) string {
	if path = shownPath(path); filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

func isBelow(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(relative)
}

// note says where the diffs apply if that is not the working directory.
func (d diffs) note() string {
	if d.base == d.dir {
		return ""
	}
	return "the paths of the diff begin at " + d.base + ": apply it there, such as with git -C " + d.base + " apply"
}

// of is the unified diff of a file that changes. A tab ends a name with blanks.
func (d diffs) of(e edited) string {
	name := shownPath(e.path)
	if e.path != stdin {
		if relative, err := filepath.Rel(d.base, d.place(e.path)); err == nil {
			name = relative
		}
	}
	name = strings.TrimLeft(filepath.ToSlash(name), "/")
	if strings.Contains(name, " ") {
		name += "\t"
	}
	return udiff.Unified("a/"+name, "b/"+name, string(e.before), string(e.Content))
}

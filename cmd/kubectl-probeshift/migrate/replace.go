package migrate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// files makes temporary files; tests make disks that are full.
type files interface {
	createTemp(dir, pattern string) (temporary, error)
}

// temporary is a file that is written before it takes another's place.
type temporary interface {
	io.Writer
	Name() string
	Chmod(mode fs.FileMode) error
	Sync() error
	Close() error
}

// osFiles are the files of the operating system.
type osFiles struct{}

func (osFiles) createTemp(dir, pattern string) (temporary, error) { return os.CreateTemp(dir, pattern) }

// replace puts content in the place of a file, which is there whole at any time:
// it is written beside it, synced, and renamed. Permissions stay, and the owner
// where the system lets us. A file that is no longer the one that was read stays.
// The notes are what a person should know.
func replace(in files, path string, read os.FileInfo, content []byte) (notes []string, err error) {
	temp, err := in.createTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	if _, err := temp.Write(content); err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	if err := temp.Chmod(read.Mode().Perm()); err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	if err := temp.Sync(); err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	if err := temp.Close(); err != nil {
		return nil, err
	}
	if note := keepOwner(temp.Name(), read); note != "" {
		notes = append(notes, note)
	}
	now, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(now, read) || now.Size() != read.Size() || !now.ModTime().Equal(read.ModTime()) {
		return nil, fmt.Errorf("it was changed while it was read: run migrate again")
	}
	switch n := links(now); {
	case n == 2:
		notes = append(notes, "a hard link was broken: the other name of the file has the old content")
	case n > 2:
		notes = append(notes, fmt.Sprintf("a hard link was broken: the %d other names of the file have the old content", n-1))
	}
	return notes, os.Rename(temp.Name(), path)
}

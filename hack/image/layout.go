package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path"
	"strings"
	"time"
)

// index is the content of an image index.
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// writeLayout writes an OCI image layout into a tar file: one image of that
// name, for the platforms of images.
func writeLayout(file, name string, images []image) error {
	platforms := index{SchemaVersion: 2, MediaType: indexType}
	var blobs [][]byte
	for _, i := range images {
		platforms.Manifests = append(platforms.Manifests, i.manifest)
		blobs = append(blobs, i.blobs...)
	}
	all, err := json.Marshal(platforms)
	if err != nil {
		return err
	}
	named := describe(indexType, all)
	named.Annotations = map[string]string{
		// The first is read by containerd and Docker, the second, which holds
		// the tag alone, by everybody else.
		"io.containerd.image.name":          name,
		"org.opencontainers.image.ref.name": name[strings.LastIndex(name, ":")+1:],
	}
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{named}})
	if err != nil {
		return err
	}

	entries := []entry{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", top}}
	for _, blob := range append(blobs, all) {
		entries = append(entries, entry{path.Join("blobs", strings.Replace(digest(blob), ":", "/", 1)), blob})
	}
	archive, err := archived(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(file, archive, 0o644) //nolint:gosec // an image is nothing secret
}

// entry is one file of an archive.
type entry struct {
	name    string
	content []byte
}

// archived returns a tar archive of files that are all of the same age, so that
// the same files make the same archive.
func archived(entries []entry) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// sizeLimit is the most that an image may take on the way to a node, in bytes.
const sizeLimit = 25_000_000

// user runs the program: nobody in particular, and not root.
const user = "65532:65532"

// Media types of the OCI image specification.
const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// descriptor points at a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// platform is what a manifest is for.
type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// manifest is the content of an image manifest.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// config is the content of an image configuration.
type config struct {
	Created time.Time `json:"created"`
	platform
	Config  runConfig `json:"config"`
	RootFS  rootFS    `json:"rootfs"`
	History []history `json:"history"`
}

// runConfig is how the image is run.
type runConfig struct {
	User       string            `json:"User"`
	Entrypoint []string          `json:"Entrypoint"`
	WorkingDir string            `json:"WorkingDir"`
	Labels     map[string]string `json:"Labels"`
}

// rootFS names the layers by the digests of their uncompressed content.
type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// history says how a layer came to be.
type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// image is the image for one platform: its manifest and the blobs behind it.
type image struct {
	manifest descriptor
	blobs    [][]byte
}

// size is what a node fetches, in bytes.
func (i image) size() int {
	total := 0
	for _, blob := range i.blobs {
		total += len(blob)
	}
	return total
}

// newImage makes the image of a program: one layer with one file. It returns
// an error when the image is larger than sizeLimit.
func newImage(p program) (image, error) {
	plain, compressed, err := layer(p)
	if err != nil {
		return image{}, fmt.Errorf("pack the layer: %w", err)
	}
	platform := platform{Architecture: p.architecture, OS: "linux"}
	configuration, err := json.Marshal(config{
		Created:  p.created,
		platform: platform,
		Config:   runConfig{User: user, Entrypoint: []string{"/" + file(p)}, WorkingDir: "/", Labels: labels(p)},
		RootFS:   rootFS{Type: "layers", DiffIDs: []string{digest(plain)}},
		History:  []history{{Created: p.created, CreatedBy: "hack/image"}},
	})
	if err != nil {
		return image{}, err
	}
	content, err := json.Marshal(manifest{
		SchemaVersion: 2,
		MediaType:     manifestType,
		Config:        describe(configType, configuration),
		Layers:        []descriptor{describe(layerType, compressed)},
	})
	if err != nil {
		return image{}, err
	}
	i := image{manifest: describe(manifestType, content), blobs: [][]byte{content, configuration, compressed}}
	i.manifest.Platform = &platform
	if i.size() > sizeLimit {
		return image{}, fmt.Errorf("the image for linux/%s takes %d bytes, more than %d: see what the program has come to depend on", p.architecture, i.size(), sizeLimit)
	}
	return i, nil
}

// labels are those that the OCI image specification names.
func labels(p program) map[string]string {
	const prefix = "org.opencontainers.image."
	l := map[string]string{
		prefix + "title":       "probeshift " + p.name,
		prefix + "description": "Rewrites exec probes of grpc_health_probe into native gRPC probes",
		prefix + "source":      "https://github.com/probeshift/probeshift",
		prefix + "licenses":    "Apache-2.0",
		prefix + "version":     p.version,
		prefix + "created":     p.created.Format(time.RFC3339),
	}
	if p.revision != "" {
		l[prefix+"revision"] = p.revision
	}
	return l
}

// file is where the program is in the image. The plugin is found by its name.
func file(p program) string {
	if p.name == plugin {
		return "bin/" + p.name
	}
	return p.name
}

// layer packs the program, as a tar archive and the same compressed.
func layer(p program) (plain, compressed []byte, err error) {
	var archive, packed bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: file(p), Mode: 0o755, Size: int64(len(p.content)), ModTime: p.created}); err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(p.content); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, nil, err
	}
	if _, err := z.Write(archive.Bytes()); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return archive.Bytes(), packed.Bytes(), nil
}

// describe returns the descriptor of a blob.
func describe(mediaType string, blob []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digest(blob), Size: len(blob)}
}

// digest is the SHA-256 of a blob, as OCI writes it.
func digest(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "sha256:" + hex.EncodeToString(sum[:])
}

package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blobs are the files of an OCI image layout by their names.
type blobs map[string][]byte

// descriptor points at a blob.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ Architecture, OS string }
	Annotations       map[string]string
}

// untar reads an archive of files.
func untar(t *testing.T, archive io.Reader) blobs {
	t.Helper()
	files := blobs{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// get returns a blob after a look at its digest and size.
func (b blobs) get(t *testing.T, d descriptor) []byte {
	t.Helper()
	content, there := b["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !there {
		t.Fatalf("there is no blob %s", d.Digest)
	}
	if len(content) != d.Size || digest(content) != d.Digest {
		t.Fatalf("the blob %s has %d bytes and the digest %s, want %d bytes", d.Digest, len(content), digest(content), d.Size)
	}
	return content
}

// read decodes a blob that is JSON.
func (b blobs) read(t *testing.T, d descriptor, into any) {
	t.Helper()
	decodeJSON(t, b.get(t, d), into)
}

func decodeJSON(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// buildImage runs hack/image and returns what is in the file it writes.
func buildImage(t *testing.T, name string) blobs {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	command := exec.CommandContext(t.Context(), "go", "run", "./hack/image", "--output", file, "--name", name)
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return untar(t, bytes.NewReader(content))
}

func TestTheImageIsWhatNodesExpect(t *testing.T) {
	const name = "registry.example/probeshift/webhook:test"
	layout := buildImage(t, name)
	if got := string(layout["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout: %s", got)
	}
	var top, platforms struct{ Manifests []descriptor }
	decodeJSON(t, layout["index.json"], &top)
	if len(top.Manifests) != 1 {
		t.Fatalf("the layout holds %d images, want one", len(top.Manifests))
	}
	if diff := cmp.Diff(map[string]string{
		"io.containerd.image.name": name, "org.opencontainers.image.ref.name": "test",
	}, top.Manifests[0].Annotations); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	layout.read(t, top.Manifests[0], &platforms)
	var found []string
	for _, d := range platforms.Manifests {
		found = append(found, d.Platform.OS+"/"+d.Platform.Architecture)
		t.Run(d.Platform.Architecture, func(t *testing.T) { checkImage(t, layout, d) })
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, found); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

// checkImage checks the image for one platform, and runs it where that is the
// platform of the test.
func checkImage(t *testing.T, layout blobs, d descriptor) {
	t.Helper()
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	layout.read(t, d, &manifest)
	var config struct {
		Architecture, OS string
		Config           struct {
			User       string
			Entrypoint []string
			Labels     map[string]string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	layout.read(t, manifest.Config, &config)
	if config.OS != d.Platform.OS || config.Architecture != d.Platform.Architecture {
		t.Errorf("the configuration is for %s/%s", config.OS, config.Architecture)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("it runs as %q, want 65532:65532", config.Config.User)
	}
	if len(manifest.Layers) != 1 || len(config.RootFS.DiffIDs) != 1 {
		t.Fatalf("%d layers with %d digests, want one", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	if size := d.Size + manifest.Config.Size + manifest.Layers[0].Size; size > 25_000_000 {
		t.Errorf("a node fetches %d bytes, want at most 25,000,000", size)
	}
	compressed, err := gzip.NewReader(bytes.NewReader(layout.get(t, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(compressed)
	if err != nil {
		t.Fatal(err)
	}
	if digest(plain) != config.RootFS.DiffIDs[0] {
		t.Errorf("the layer has the digest %s, the configuration says %s", digest(plain), config.RootFS.DiffIDs[0])
	}
	if diff := cmp.Diff([]string{"/webhook"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	checkProgram(t, config.Architecture, untar(t, bytes.NewReader(plain))["webhook"], config.Config.Labels)
}

// checkProgram runs the program, which has to name the version that the labels
// name.
func checkProgram(t *testing.T, architecture string, program []byte, labels map[string]string) {
	t.Helper()
	for _, label := range []string{"title", "description", "source", "licenses", "version", "created"} {
		if labels["org.opencontainers.image."+label] == "" {
			t.Errorf("the label org.opencontainers.image.%s is missing", label)
		}
	}
	if bytes.Contains(program, []byte("/ld-linux")) {
		t.Error("the program asks for a dynamic linker")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != architecture {
		return
	}
	file := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(file, program, 0o700); err != nil { //nolint:gosec // to be run
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), file, "--version").CombinedOutput()
	if want := fmt.Sprintf("webhook version %s\n", labels["org.opencontainers.image.version"]); err != nil || string(out) != want {
		t.Errorf("--version says %q (%v), want %q", out, err, want)
	}
}

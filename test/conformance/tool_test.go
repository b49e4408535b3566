package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

/*
Programs made from the tool's module, each built once and then kept in the
user's cache directory under a name that tells what it was made from:

  - the tool as it is released, with the dependencies of its own go.mod;
  - the oracle: the tool's main.go, where init and main have become functions
    that can be called for each line, linked with testdata/oracle/serve.go, and
    with a grpc-go whose dialer asks before it connects;
  - the stand-in of the shell tests, testdata/standin.
*/

const (
	toolModule  = "github.com/grpc-ecosystem/grpc-health-probe"
	toolVersion = "v0.4.40"
)

// toolVersions are the releases whose verdicts are compared: the one whose code
// is the oracle's, one with a newer grpc-go, and the last one that does not
// insist on ALPN.
var toolVersions = []string{toolVersion, "v0.4.42", "v0.4.34"}

//go:embed testdata/oracle testdata/standin
var sources embed.FS

// rewrites turn the tool's main.go into the oracle's. Each must apply exactly
// as often as it says, so that another version of the tool is noticed.
var rewrites = []struct {
	from, to string
	times    int
}{
	{"func init() {", "func parseArguments(args []string) {", 1},
	{"func main() {", "func run() {", 1},
	{"os.Args[1:]", "args", 1},
	{"os.Exit(", "exit(", 4},
	{"grpc.DialContext(", "dial(", 1},
	{"grpc.WithBlock(),", "", 1},
	{"signal.Notify(c, os.Interrupt)", "close(c); _ = signal.Ignored", 1},
}

// buildTool returns the path of a released tool.
func buildTool(tb testing.TB, version string) string {
	tb.Helper()
	return cached(tb, "tool", version, func(dir, program string) {
		copyTool(tb, dir, version)
		goCommand(tb, dir, "build", "-o", program, ".")
	})
}

// buildOracle returns the path of the oracle.
func buildOracle(tb testing.TB) string {
	tb.Helper()
	return cached(tb, "oracle", fmt.Sprint(toolVersion, rewrites, digest(tb, "testdata/oracle")), func(dir, program string) {
		copyTool(tb, dir, toolVersion)
		path := filepath.Join(dir, "main.go")
		code := readFile(tb, path)
		for _, r := range rewrites {
			if n := strings.Count(code, r.from); n != r.times {
				tb.Fatalf("main.go of the tool has %q %d times, not %d: the rewrite does not fit this version", r.from, n, r.times)
			}
			code = strings.ReplaceAll(code, r.from, r.to)
		}
		writeFile(tb, path, code)
		writeFile(tb, filepath.Join(dir, "serve.go"), source(tb, "testdata/oracle/serve.go"))
		goCommand(tb, dir, "mod", "vendor")
		grpc := filepath.Join(dir, "vendor", "google.golang.org", "grpc")
		if err := os.Remove(filepath.Join(grpc, "internal", "tcp_keepalive_unix.go")); err != nil {
			tb.Fatal(err)
		}
		writeFile(tb, filepath.Join(grpc, "internal", "dialer.go"), source(tb, "testdata/oracle/dialer.go"))
		writeFile(tb, filepath.Join(grpc, "dialhook.go"), source(tb, "testdata/oracle/dialhook.go"))
		goCommand(tb, dir, "build", "-mod=vendor", "-o", program, ".")
	})
}

// buildStandin returns the path of the stand-in.
func buildStandin(tb testing.TB) string {
	tb.Helper()
	return cached(tb, "standin", digest(tb, "testdata/standin"), func(dir, program string) {
		writeFile(tb, filepath.Join(dir, "main.go"), source(tb, "testdata/standin/main.go"))
		writeFile(tb, filepath.Join(dir, "go.mod"), "module standin\n\ngo 1.26\n")
		goCommand(tb, dir, "build", "-o", program, ".")
	})
}

// cached returns the path of a program, after build has made it in a directory
// of its own if it is not there yet. from tells what it is made from.
func cached(tb testing.TB, name, from string, build func(dir, program string)) string {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	cache = filepath.Join(cache, "probeshift", "conformance")
	sum := sha256.Sum256([]byte(from + runtime.Version()))
	program := filepath.Join(cache, fmt.Sprintf("%s-%x", name, sum[:6]))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	dir := tb.TempDir()
	build(dir, filepath.Join(dir, "program"))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		tb.Fatal(err)
	}
	half := fmt.Sprintf("%s-%d", program, os.Getpid()) // others may build it too
	if err := os.WriteFile(half, []byte(readFile(tb, filepath.Join(dir, "program"))), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(half, program); err != nil {
		tb.Fatal(err)
	}
	return program
}

// copyTool copies the tool's module into dir, where its own go.mod holds.
func copyTool(tb testing.TB, dir, version string) {
	tb.Helper()
	var module struct{ Dir string }
	out := goCommand(tb, dir, "mod", "download", "-json", toolModule+"@"+version)
	if err := json.Unmarshal(out, &module); err != nil {
		tb.Fatalf("read what go mod download says: %v", err)
	}
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		writeFile(tb, filepath.Join(dir, name), readFile(tb, filepath.Join(module.Dir, name)))
	}
}

// goCommand runs the go command in dir, without cgo as the tool is released.
func goCommand(tb testing.TB, dir string, args ...string) []byte {
	tb.Helper()
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// digest tells the content of an embedded folder.
func digest(tb testing.TB, folder string) string {
	tb.Helper()
	hash := sha256.New()
	err := fs.WalkDir(sources, folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			hash.Write([]byte(path + source(tb, path)))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func source(tb testing.TB, path string) string {
	tb.Helper()
	content, err := sources.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

func readFile(tb testing.TB, path string) string {
	tb.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

func writeFile(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

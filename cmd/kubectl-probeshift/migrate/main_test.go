package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
)

// asCommand in the environment makes the test binary the command itself, with the
// arguments given.
const asCommand = "MIGRATE_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := migrate.New(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(os.Args[1:])
	err := command.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exit.Code(err)) //nolint:gocritic // the process ends anyway
}

// legacy is a Pod of a name with a probe of the tool, and migrated what it becomes.
func legacy(name string) string {
	return fmt.Sprintf(`# %[1]s
apiVersion: v1
kind: Pod
metadata: {name: %[1]s}
spec:
  containers:
  - name: server
    image: example.com/%[1]s:1
    ports: [{containerPort: 8080}]
    livenessProbe:
      exec:
        command: [grpc_health_probe, "-addr=:8080"]
`, name)
}

func migrated(name string) string {
	return strings.Replace(legacy(name), `exec:
        command: [grpc_health_probe, "-addr=:8080"]`, `grpc:
        port: 8080
        service: ""`, 1)
}

// run runs the command and returns what it writes and its error.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, told bytes.Buffer
	command := migrate.New(genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &told})
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(args)
	err = command.ExecuteContext(t.Context())
	return out.String(), told.String(), err
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds\n%s\nnot\n%s", path, got, want)
	}
}

// names are the files below a directory, hidden ones included.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			relative, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

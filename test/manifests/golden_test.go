package manifests_test

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
)

var update = flag.Bool("update", false, "write after and output as the rules now have them")

// golden is one case.
type golden struct {
	name, dir string
	flags     []string
}

func load(t *testing.T) []golden {
	t.Helper()
	entries, err := os.ReadDir("cases")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	for _, e := range entries {
		dir, err := filepath.Abs(filepath.Join("cases", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: e.Name(), dir: dir}
		if text, err := os.ReadFile(filepath.Join(dir, "flags")); err == nil {
			g.flags = strings.Fields(string(text))
		}
		all = append(all, g)
	}
	return all
}

// tree is the content of the files below a directory, by their paths.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		relative, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(relative)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs migrate and returns all that it prints, and its exit code.
func run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	var out, told bytes.Buffer
	command := migrate.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &told})
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(context.WithoutCancel(t.Context()))
	if code = exit.Code(err); code == exit.Error {
		told.WriteString("error: " + err.Error() + "\n")
	}
	return out.String() + told.String(), code
}

func TestGoldenCases(t *testing.T) {
	all := load(t)
	if len(all) < 60 {
		t.Errorf("there are %d cases, fewer than 60", len(all))
	}
	for _, g := range all {
		t.Run(g.name, func(t *testing.T) {
			before := tree(t, filepath.Join(g.dir, "before"))
			work := t.TempDir()
			writeTree(t, work, before)
			t.Chdir(work)
			args := append([]string{"-f", "."}, g.flags...)

			output, code := run(t, args...)
			if code != exit.OK {
				t.Errorf("exit code %d without a mode", code)
			}
			if diff := cmp.Diff(before, tree(t, work)); diff != "" {
				t.Fatalf("without a mode files changed:\n%s", diff)
			}
			_, checked := run(t, append(args, "--check")...)
			if _, code := run(t, append(args, "--write")...); code != exit.OK {
				t.Errorf("exit code %d of --write", code)
			}
			after := tree(t, work)
			if changed := !cmp.Equal(before, after); checked != exit.Error && changed != (checked == exit.Found) {
				t.Errorf("--check ends with %d, and changed is %t", checked, changed)
			}
			if *update {
				if err := os.RemoveAll(filepath.Join(g.dir, "after")); err != nil {
					t.Fatal(err)
				}
				writeTree(t, filepath.Join(g.dir, "after"), after)
				writeTree(t, g.dir, map[string]string{"output": output})
			}
			if diff := cmp.Diff(tree(t, filepath.Join(g.dir, "after")), after); diff != "" {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			if unread := strings.Contains(output, " not-parsed\n") || strings.Contains(output, " not-utf-8\n"); unread != (checked == exit.Error) {
				t.Errorf("--check ends with %d", checked)
			}
			if diff := cmp.Diff(tree(t, g.dir)["output"], output); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if _, code := run(t, append(args, "--check")...); code == exit.Found {
				t.Errorf("a second run would change more: exit code %d", code)
			}
			onlyProbesChanged(t, before, after)
		})
	}
}

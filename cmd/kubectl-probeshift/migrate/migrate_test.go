package migrate_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/exit"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/migrate"
)

func TestWithoutAModeADiffIsPrintedAndNothingChanges(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "deploy/cart.yaml", legacy("cart"))
	stdout, stderr, err := run(t, "", "-f", "deploy")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stdout, "--- a/deploy/cart.yaml\n+++ b/deploy/cart.yaml\n@@ ") || strings.Contains(stdout, "would rewrite") {
		t.Errorf("stdout is not the diff alone:\n%s", stdout)
	}
	if !strings.Contains(stderr, "deploy/cart.yaml:11:7: Pod/cart server liveness would rewrite\n") {
		t.Errorf("stderr does not tell the finding:\n%s", stderr)
	}
	holds(t, "deploy/cart.yaml", legacy("cart"))
}

func TestCheckEndsWithTwoWhileSomethingIsLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cart.yaml")
	write(t, path, legacy("cart"))
	if _, _, err := run(t, "", "-f", dir, "--check"); exit.Code(err) != exit.Found {
		t.Errorf("before: %v", err)
	}
	holds(t, path, legacy("cart"))
	if _, _, err := run(t, "", "-f", dir, "--write"); err != nil {
		t.Error(err)
	}
	holds(t, path, migrated("cart"))
	if stdout, _, err := run(t, "", "-f", dir, "--check"); err != nil {
		t.Errorf("after: %v\n%s", err, stdout)
	}
}

func TestASkippedProbeIsNothingToCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cart.yaml"), strings.Replace(legacy("cart"), "containerPort: 8080", "containerPort: 1", 1))
	stdout, _, err := run(t, "", "-f", dir, "--check")
	if err != nil || !strings.Contains(stdout, "port-not-declared") {
		t.Errorf("%v\n%s", err, stdout)
	}
}

func TestStdinIsAFilter(t *testing.T) {
	stdout, stderr, err := run(t, legacy("cart"), "-f", "-", "--write")
	if err != nil || stdout != migrated("cart") {
		t.Errorf("%v\n%s", err, stdout)
	}
	if !strings.Contains(stderr, "stdin:11:7: Pod/cart server liveness rewritten") {
		t.Errorf("stderr does not tell the finding:\n%s", stderr)
	}
	if stdout, _, err = run(t, "kind: Other\n", "-f", "-", "--write"); err != nil || stdout != "kind: Other\n" {
		t.Errorf("what holds no probe does not come back as it went in: %v\n%s", err, stdout)
	}
}

func TestAnEmptyStdinIsAnError(t *testing.T) {
	for _, stdin := range []string{"", " \n", "# No resources found\n---\n"} {
		for _, mode := range []string{"--write", "--check", "-o=json"} {
			if _, _, err := run(t, stdin, "-f", "-", mode); exit.Code(err) != exit.Error || !strings.Contains(err.Error(), "the command before the pipe may have failed") {
				t.Errorf("%q %s: %v", stdin, mode, err)
			}
		}
	}
}

func TestCheckFailsWhereNobodyLooked(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), legacy("cart")+"  x: [\n")
	write(t, filepath.Join(dir, "b.yaml"), "# caf\xe9\n"+legacy("cart"))
	write(t, filepath.Join(dir, "chart.yaml"), "{{ if }}\nexec: {command: [grpc_health_probe, '-addr=:{{ .port }}']}\n")
	for name, want := range map[string]int{".": exit.Error, "a.yaml": exit.Error, "b.yaml": exit.Error, "chart.yaml": exit.OK} {
		stdout, _, err := run(t, "", "-f", filepath.Join(dir, name), "--check")
		if exit.Code(err) != want {
			t.Errorf("%s: exit code %d: %v\n%s", name, exit.Code(err), err, stdout)
		}
		if _, _, err := run(t, "", "-f", filepath.Join(dir, name)); err != nil {
			t.Errorf("%s without --check: %v", name, err)
		}
	}
}

func TestJSONTellsAllAndNothingElseIsPrinted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "cart.yaml", legacy("cart"))
	write(t, "other.yaml", "kind: Other\n")
	stdout, stderr, err := run(t, "", "-f", ".", "-o", "json")
	if err != nil || stderr != "" {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var got struct {
		Files []struct {
			Path, Diff string
			Changed    bool
			Findings   []struct {
				Line, Column             int
				Kind, Name, Container    string
				Probe, Outcome, Sentence string
				GRPC                     map[string]any
			}
		}
		Totals map[string]int
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if len(got.Files) != 1 || got.Files[0].Path != "cart.yaml" || !got.Files[0].Changed || !strings.Contains(got.Files[0].Diff, "+      grpc:") {
		t.Fatalf("files: %+v", got.Files)
	}
	f := got.Files[0].Findings[0]
	if f.Line != 11 || f.Column != 7 || f.Outcome != "would-rewrite" || f.Sentence == "" || f.GRPC["port"] != 8080.0 {
		t.Errorf("finding: %+v", f)
	}
	want := map[string]int{"files": 2, "changed": 1, "failed": 0, "rewritten": 0, "wouldRewrite": 1, "skipped": 0, "untouched": 0}
	if diff := cmp.Diff(want, got.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func TestOnlyManifestsAreReadInADirectory(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"a.yaml", "b.YML", "c/d.json", "e.txt", ".git/f.yaml", "g/.hidden/h.yaml", ".i.yaml"} {
		write(t, filepath.Join(dir, path), "x: grpc_health_probe\n")
	}
	stdout, _, err := run(t, "", "-f", dir, "--check")
	if err != nil || !strings.Contains(stdout, "of 4 files") {
		t.Errorf("%v\n%s", err, stdout)
	}
	stdout, _, err = run(t, "", "-f", filepath.Join(dir, "e.txt"), "-f", filepath.Join(dir, "e.txt"), "--check")
	if err != nil || !strings.Contains(stdout, "of 1 file,") {
		t.Errorf("a file that is named is not read, or twice: %v\n%s", err, stdout)
	}
}

func TestWrongFlagsAreNamedWithTheRemedy(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"nothing to read":   {nil, "name files or directories with -f"},
		"two modes":         {[]string{"-f", ".", "--write", "--check"}, "use one of them"},
		"a path that isn't": {[]string{"-f", ".", "--path", "spec.template"}, "write [GROUP/]KIND=FIELD.FIELD"},
		"an odd element":    {[]string{"-f", ".", "--path", "A=spec..b"}, `"" is no field`},
		"a word":            {[]string{"-f", ".", "--ports", "all"}, "use declared or any"},
		"no such file":      {[]string{"-f", "no/such/file"}, "no/such/file: there is no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := run(t, "", tc.args...); exit.Code(err) != exit.Error || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

func TestADirectoryThatHoldsNothingToReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "README.md"), "grpc_health_probe\n")
	if _, _, err := run(t, "", "-f", dir, "--check"); exit.Code(err) != exit.Error || !strings.Contains(err.Error(), "no file to read is in it") {
		t.Errorf("CI would be green: %v", err)
	}
	write(t, filepath.Join(dir, "a", "cart.yaml"), "kind: Other\n")
	if _, _, err := run(t, "", "-f", dir, "-f", filepath.Join(dir, "a"), "--check"); err != nil {
		t.Errorf("what was read already counts as nothing: %v", err)
	}
}

func TestTheHeaderOfADiffIsReadByPatchAndGit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a dir", "cart.yaml"), legacy("cart"))
	write(t, filepath.Join(dir, "work", "cart.yaml"), legacy("cart"))
	t.Chdir(filepath.Join(dir, "work"))
	for name, header := range map[string]string{
		"cart.yaml":                              "--- a/cart.yaml\n+++ b/cart.yaml\n",
		"../a dir/cart.yaml":                     "--- a/a dir/cart.yaml\t\n+++ b/a dir/cart.yaml\t\n",
		filepath.Join(dir, "a dir", "cart.yaml"): "--- a/a dir/cart.yaml\t\n",
	} {
		if stdout, _, err := run(t, "", "-f", name); err != nil || !strings.HasPrefix(stdout, header) {
			t.Errorf("%s: %v\n%s", name, err, stdout)
		}
	}
}

func TestAPathWhoseKindNobodyNamesIsWarnedOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker.yaml")
	write(t, path, "apiVersion: example.com/v1\nkind: Worker\n")
	for given, warned := range map[string]bool{
		"Worker=spec.template":             false,
		"example.com/Worker=spec.template": false,
		"worker=spec.template":             true,
		"other.com/Worker=spec.template":   true,
		"Work=spec.template":               true,
	} {
		_, stderr, err := run(t, "", "-f", path, "--check", "--path", given)
		want := "warning: --path=" + given + ": no document is of kind "
		if err != nil || strings.Contains(stderr, want) != warned {
			t.Errorf("--path %s: %v\n%s", given, err, stderr)
		}
	}
}

func TestADiffOfFilesElsewhereSaysWhereItApplies(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cart.yaml"), legacy("cart"))
	write(t, filepath.Join(dir, "work", "shop.yaml"), legacy("shop"))
	if err := os.Symlink("work", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "link"))
	if _, stderr, err := run(t, "", "-f", "shop.yaml"); err != nil || strings.Contains(stderr, "git -C") {
		t.Errorf("of the working directory: %v\n%s", err, stderr)
	}
	stdout, stderr, err := run(t, "", "-f", "../cart.yaml", "-f", "shop.yaml")
	if err != nil || !strings.Contains(stderr, "git -C "+dir+" apply\n") {
		t.Fatalf("%v\n%s", err, stderr)
	}
	apply := exec.CommandContext(t.Context(), "git", "-C", dir, "apply")
	apply.Stdin = strings.NewReader(stdout)
	if told, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, told, stdout)
	}
	holds(t, "../cart.yaml", migrated("cart"))
	holds(t, "shop.yaml", migrated("shop"))
}

func TestAWordWithoutAFlagIsNamedWithTheRemedy(t *testing.T) {
	if _, _, err := run(t, "", "deploy/"); err == nil || !strings.Contains(err.Error(), "-f deploy/") {
		t.Errorf("the remedy is missing: %v", err)
	}
}

func TestAPatchFarBelowItsKustomizationIsAPatch(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kustomization.yaml"), "patches: [{path: a/b/c/d/cart.yaml}]\n")
	path := filepath.Join(dir, "a", "b", "c", "d", "cart.yaml")
	write(t, path, legacy("cart"))
	for _, name := range []string{path, filepath.Dir(path)} {
		if stdout, _, err := run(t, "", "-f", name, "--check"); err != nil || !strings.Contains(stdout, "kustomize-patch") {
			t.Errorf("%s: %v\n%s", name, err, stdout)
		}
	}
}

func TestAPatchOfHostAliasesHoldsTheProbe(t *testing.T) {
	for _, written := range []string{"hostAliases: [{ip: 192.0.2.7, hostnames: [localhost]}]", "hostname: finder"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [cart.yaml]\npatches: [{path: patch.yaml}]\n")
		write(t, filepath.Join(dir, "cart.yaml"), legacy("cart"))
		write(t, filepath.Join(dir, "patch.yaml"), "kind: Pod\nmetadata: {name: cart}\nspec: {"+written+"}\n")
		if stdout, _, err := run(t, "", "-f", dir, "--check"); err != nil || !strings.Contains(stdout, " patched\n") {
			t.Errorf("%s: %v\n%s", written, err, stdout)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestADiffThatCannotBeWrittenIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cart.yaml")
	write(t, path, legacy("cart"))
	command := migrate.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: full{}, ErrOut: io.Discard})
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs([]string{"-f", path})
	if err := command.ExecuteContext(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the diff is lost and the error is %v", err)
	}
}

//go:build unix

package migrate_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestPermissionsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cart.yaml")
	write(t, path, legacy("cart"))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(t, "", "-f", path, "--write"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	holds(t, path, migrated("cart"))
}

func TestALinkStaysAndItsTargetIsReplaced(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shared", "cart.yaml"), legacy("cart"))
	link := filepath.Join(dir, "here", "cart.yaml")
	write(t, filepath.Join(dir, "here", "other.txt"), "")
	if err := os.Symlink("../shared/cart.yaml", link); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := run(t, "", "-f", filepath.Join(dir, "here"), "--write")
	if err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "../shared/cart.yaml" {
		t.Errorf("the link is %q now (%v)", to, err)
	}
	holds(t, filepath.Join(dir, "shared", "cart.yaml"), migrated("cart"))
	if !strings.Contains(stdout, "was replaced, the link stays") {
		t.Errorf("the link is not told of:\n%s", stdout)
	}
}

func TestAHardLinkIsBrokenAndToldOf(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.yaml"), filepath.Join(dir, "two.txt")
	write(t, one, legacy("cart"))
	if err := os.Link(one, two); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := run(t, "", "-f", one, "--write")
	if err != nil || !strings.Contains(stdout, "a hard link was broken: the other name of the file has the old content") {
		t.Errorf("%v\n%s", err, stdout)
	}
	holds(t, one, migrated("cart"))
	holds(t, two, legacy("cart"))
	if stdout, _, err := run(t, "", "-f", two, "--write"); err != nil || strings.Contains(stdout, "hard link") {
		t.Errorf("the last name is no longer a link: %v\n%s", err, stdout)
	}
}

// TestAFolderThatCannotBeWrittenKeepsItsFiles runs the command as a process of
// its own, which is not root's: root may write everywhere.
func TestAFolderThatCannotBeWrittenKeepsItsFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "work", "a", "cart.yaml"), legacy("cart"))
	write(t, filepath.Join(dir, "work", "b", "cart.yaml"), legacy("other"))
	write(t, filepath.Join(dir, "work", "c", "cart.yaml"), legacy("hidden"))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "work", "c"), 0o755) }) // so that it can be removed
	modes := map[string]os.FileMode{filepath.Dir(dir): 0o755, "work/a": 0o555, "work/b": 0o777, "work/c": 0}
	for path, mode := range modes {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "migrate")
	if err := os.Link(os.Args[0], program); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-f", ".", "--write")
	command.Dir, command.Env = filepath.Join(dir, "work"), append(os.Environ(), asCommand+"=yes")
	if os.Geteuid() == 0 {
		const nobody = 65534
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "write a/cart.yaml: permission denied; the file is as it was") {
		t.Errorf("%v\n%s", err, output)
	}
	if !strings.Contains(string(output), "read c: permission denied") {
		t.Errorf("the directory that cannot be read is not told of:\n%s", output)
	}
	if !strings.Contains(string(output), "1 probe rewritten in 1 of 2 files, 0 left as they are, 1 file failed.") {
		t.Errorf("the sum is another:\n%s", output)
	}
	holds(t, filepath.Join(dir, "work", "a", "cart.yaml"), legacy("cart"))
	holds(t, filepath.Join(dir, "work", "b", "cart.yaml"), migrated("other"))
	if os.Geteuid() == 0 && !strings.Contains(string(output), "b/cart.yaml: note: the file belongs to you now") {
		t.Errorf("the new owner is not told of:\n%s", output)
	}
}

// TestAFullDiskKeepsTheFile runs the command as a process of its own whose files
// may not grow beyond a few kilobytes: writing stops half-way, as on a full disk.
func TestAFullDiskKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	large := legacy("cart") + strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 300)
	write(t, filepath.Join(dir, "large.yaml"), large)
	write(t, filepath.Join(dir, "small.yaml"), legacy("small"))
	command := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 8; trap "" XFSZ; exec "$@"`, "sh", os.Args[0], "-f", ".", "--write")
	command.Dir, command.Env = dir, append(os.Environ(), asCommand+"=yes")
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "large.yaml: file too large; the file is as it was") {
		t.Errorf("%v\n%s", err, output)
	}
	holds(t, filepath.Join(dir, "large.yaml"), large)
	holds(t, filepath.Join(dir, "small.yaml"), migrated("small"))
	if got := names(t, dir); !slices.Equal(got, []string{"large.yaml", "small.yaml"}) {
		t.Errorf("there are %v now", got)
	}
}

// TestASignalEndsItBetweenFiles interrupts a process that is at work.
func TestASignalEndsItBetweenFiles(t *testing.T) {
	dir := t.TempDir()
	const files = 3000
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d.yaml", i)), legacy(fmt.Sprint("cart-", i)))
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-f", ".", "--write")
	command.Dir, command.Env = dir, append(os.Environ(), asCommand+"=yes")
	var told strings.Builder
	command.Stderr = &told
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for n := 0; lines.Scan(); n++ {
		if n == 50 {
			if err := command.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := command.Wait(); err == nil || !strings.Contains(told.String(), "interrupted after") {
		t.Errorf("%v\n%s", err, told.String())
	}
	done := 0
	for i, name := range names(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		switch string(content) {
		case migrated(fmt.Sprint("cart-", i)):
			done++
		case legacy(fmt.Sprint("cart-", i)):
		default:
			t.Fatalf("%s is neither the original nor the result:\n%s", name, content)
		}
	}
	if n := len(names(t, dir)); n != files || done == 0 || done == n {
		t.Errorf("%d of %d files are done", done, n)
	}
}

func TestALinkToADirectoryIsFollowedWhereItIsNamed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "shop/cart.yaml", legacy("cart"))
	write(t, "all/other.yaml", "kind: Other\n")
	for _, link := range []string{"link", "all/link"} {
		if err := os.Symlink(filepath.Join(dir, "shop"), link); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, err := run(t, "", "-f", "link", "--check")
	if err == nil || !strings.Contains(stdout, "link/cart.yaml:11:7: Pod/cart server liveness would rewrite") {
		t.Errorf("%v\n%s", err, stdout)
	}
	if err := os.Mkdir("links", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("link", "links/link"); err != nil {
		t.Fatal(err)
	}
	if _, _, err = run(t, "", "-f", "links", "--check"); err == nil || !strings.Contains(err.Error(), "links/link: a link to a directory is not followed") {
		t.Errorf("the error does not say what the directory holds: %v", err)
	}
	stdout, _, err = run(t, "", "-f", "all", "--check")
	if err != nil || !strings.Contains(stdout, "note: all/link: a link to a directory is not followed") {
		t.Errorf("the link is passed over without a word: %v\n%s", err, stdout)
	}
}

// asProcess runs the command as a process of its own, by a shell's line in which "$@"
// stands for it.
func asProcess(t *testing.T, dir, line string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", line, "sh", os.Args[0])
	command.Dir, command.Env = dir, append(os.Environ(), asCommand+"=yes")
	told, err := command.CombinedOutput()
	return string(told), err
}

func TestAPipeIsReadAndNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cart.yaml"), legacy("cart"))
	output, err := asProcess(t, dir, `cat cart.yaml | "$@" -f /dev/stdin`)
	if err != nil || !strings.Contains(output, "/dev/stdin:11:7: Pod/cart server liveness would rewrite") {
		t.Errorf("%v\n%s", err, output)
	}
	output, err = asProcess(t, dir, `cat cart.yaml | "$@" -f /dev/stdin --write`)
	if err == nil || !strings.Contains(output, "it is no regular file: use -f - --write as a filter") {
		t.Errorf("%v\n%s", err, output)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err = asProcess(t, dir, `cat cart.yaml > fifo & "$@" -f fifo --write`); err == nil {
		t.Errorf("no error:\n%s", output)
	}
	if info, err := os.Lstat(filepath.Join(dir, "fifo")); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe was replaced: %v, %v", info, err)
	}
}

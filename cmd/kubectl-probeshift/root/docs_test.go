package root_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/root"
)

// docs is where the pages are, one for each command.
const docs = "../../../docs"

// pageWidth is the width of the flags' descriptions, in columns.
const pageWidth = 90

var update = flag.Bool("update", false, "write the pages anew")

// TestPagesAreThoseOfTheCommands holds docs/ to what the commands say of
// themselves; -update writes it.
func TestPagesAreThoseOfTheCommands(t *testing.T) {
	pages := map[string]string{}
	collect(root.New(genericiooptions.NewTestIOStreamsDiscard()), pages)
	there, err := filepath.Glob(filepath.Join(docs, "kubectl-probeshift*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if _, wanted := pages[filepath.Base(path)]; wanted {
			continue
		}
		if !*update {
			t.Errorf("%s is of no command", path)
		} else if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
	for name, want := range pages {
		path := filepath.Join(docs, name)
		if *update {
			if err := os.MkdirAll(docs, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the command says: write it anew by `go test ./cmd/kubectl-probeshift/root -update` (%v)", path, err)
		}
	}
}

// collect makes the pages of a command and those below it.
func collect(c *cobra.Command, pages map[string]string) {
	pages[fileOf(c)] = page(c)
	for _, each := range c.Commands() {
		if each.IsAvailableCommand() {
			collect(each, pages)
		}
	}
}

func fileOf(c *cobra.Command) string {
	return strings.ReplaceAll(strings.Replace(c.CommandPath(), "kubectl probeshift", "kubectl-probeshift", 1), " ", "-") + ".md"
}

// page is a command's page, in the order of a manual page.
func page(c *cobra.Command) string {
	var text strings.Builder
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(&text, "## %s\n\n%s\n\n", title, strings.Trim(body, "\n"))
		}
	}
	fmt.Fprintf(&text, "# %s\n\n%s.\n\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	section("Synopsis", code(synopsis(c)))
	section("Description", c.Long)
	section("Examples", code(unindent(c.Example)))
	own, cluster := root.Flags(c)
	section("Flags", code(usages(own)))
	section("Flags that say how the cluster is reached, as kubectl's", code(usages(cluster)))
	section("See also", links(c))
	return strings.TrimRight(text.String(), "\n") + "\n"
}

func synopsis(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

func usages(flags *pflag.FlagSet) string { return flags.FlagUsagesWrapped(pageWidth) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "```console\n" + strings.TrimRight(text, "\n") + "\n```"
}

// unindent takes the two blanks away that examples have in --help.
func unindent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "")
}

// links lead to the commands above and below.
func links(c *cobra.Command) string {
	var near []*cobra.Command
	if c.HasParent() {
		near = append(near, c.Parent())
	}
	var text strings.Builder
	for _, each := range append(near, c.Commands()...) {
		if each == c.Parent() || each.IsAvailableCommand() {
			fmt.Fprintf(&text, "- [%s](%s): %s\n", each.CommandPath(), fileOf(each), each.Short)
		}
	}
	return text.String()
}
